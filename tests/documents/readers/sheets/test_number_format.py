"""Numbers and dates as a spreadsheet shows them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.readers.sheets.number_format import BUILT_IN, shown

CASES = [
    (1234.5, "General", "1234.5"),
    (0.1 + 0.2, "General", "0.3"),
    (1e20, "General", "1E+20"),
    (1815, "General", "1815"),
    (1234.567, "#,##0.00", "1,234.57"),
    (-1234.567, "#,##0.00", "-1,234.57"),
    (-5, "0;(0)", "(5)"),
    (0, '0;-0;"-"', "-"),
    (0.256, "0%", "26%"),
    (0.2567, "0.00%", "25.67%"),
    (1234567, "0.00E+00", "1.23E+06"),
    (45292, "yyyy-mm-dd", "2024-01-01"),
    (45292.75, 'yyyy"年"m"月"d"日" h:mm AM/PM', "2024年1月1日 6:00 PM"),
    (1.5, "[h]:mm:ss", "36:00:00"),
    (0.5, "mm:ss.0", "00:00.0"),
    (1234.5, "[$¥-804]#,##0.00", "¥1,234.50"),
    (123456789, "000-00-0000", "123-45-6789"),
    (7, "000", "007"),
    (0.5, "#.##", ".5"),
    (12, "0.##", "12"),
    (1234567, "0.0,,", "1.2"),
    (5, '0" Tage"', "5 Tage"),
    (45292, "dddd, d mmmm yyyy", "Monday, 1 January 2024"),
    (45292, "aaaa", "星期一"),
    (0.5, "# ?/?", "0.5"),
    (42, "@", "42"),
    (3, ";;;", "3"),
    (150, '[>=100]"big"0;0', "big150"),
    (5, '[>=100]"big"0;0', "5"),
    (60, "yyyy-mm-dd", "1900-02-28"),
    (1, "yyyy-mm-dd", "1900-01-01"),
    (45292.52, "h:mm", "12:28"),
    (-1, "yyyy", "-1"),
    (1234, '_(* #,##0_);_(* (#,##0);_(* "-"??_);_(@_)', "1,234"),
    (0, '_(* #,##0_);_(* (#,##0);_(* "-"??_);_(@_)', "-"),
    (2.5, "0", "3"),
    (1234.5, "[Red]0.0", "1234.5"),
    (0, "#,##0", "0"),
    (0, "#", ""),
    (12345, "##0.0E+0", "12.3E+3"),
    (5, 'General"件"', "5件"),
    (1e-7, "General", "1E-07"),
    (0.99999999, "yyyy-mm-dd h:mm:ss", "1900-01-01 0:00:00"),
    (1000, '#,##0 "€"', "1,000 €"),
    (12, "0000.00", "0012.00"),
    (5, "#,#00", "05"),
]


@pytest.mark.parametrize(("value", "code", "wanted"), CASES)
def test_a_number_is_shown_by_its_code(value: float, code: str, wanted: str) -> None:
    assert shown(value, code) == wanted


def test_days_are_counted_from_1904_where_the_workbook_says_so() -> None:
    assert shown(0, "yyyy-mm-dd", since_1904=True) == "1904-01-01"
    assert shown(43830, "yyyy-mm-dd", since_1904=True) == "2024-01-01"


@given(
    st.floats(),
    st.text('0#?.,;%[]<>=-+E/@_*\\"\\ ymdhsAPG年-804$¥', max_size=30) | st.sampled_from(list(BUILT_IN.values())),
)
def test_no_code_is_too_strange(value: float, code: str) -> None:
    text = shown(value, code)
    assert math.isfinite(value) or text == str(value)


@given(st.floats(-1e300, 1e300))
def test_a_number_of_no_format_keeps_fifteen_digits(value: float) -> None:
    assert float(shown(value)) == pytest.approx(value, rel=1e-14)
