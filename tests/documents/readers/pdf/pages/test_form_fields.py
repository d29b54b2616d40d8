"""What was filled into a PDF is read where it stands: fields of forms, choices, and text that was typed on top."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.documents import samples
from tests.documents.extracted import Read, pages
from tests.documents.samples import Filled, Line, Stroke

SETTINGS = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
FORM: list[Line | str] = [
    Line("Application", size=18),
    Line("Name:", drop=40),
    Line("Department:", drop=40),
    Line("Signed in full knowledge of the above.", drop=40),
]
KINDS = st.sampled_from(["Tx", "FreeText"])
TEXTS = st.sampled_from(["张三", "Ada Lovelace", "研发部 R&D", "(none) \\ 50%"])


@given(TEXTS, TEXTS, KINDS, KINDS)
@SETTINGS
def test_what_was_filled_in_follows_what_it_answers(read: Read, name: str, unit: str, one: str, other: str) -> None:
    filled = [Filled(unit, 140, 658, other), Filled(name, 140, 698, one)]
    text = " ".join(read("a.pdf", samples.pdf([FORM], filled=filled)).text.split())
    wanted = f"Name: {name} Department: {unit} Signed in full knowledge of the above."
    assert text.replace("|", "").replace("---", "").replace("  ", " ").endswith(wanted)


def test_a_form_that_holds_nothing_else_is_not_blank(read: Read) -> None:
    filled = [Filled("第一页", 72, 700), Filled("line one\rline two", 72, 400, page=1)]
    extracted = read("a.pdf", samples.pdf([[], []], filled=filled))
    assert [page.split() for page in pages(extracted)] == [["第一页"], ["line", "one", "line", "two"]]


def test_a_choice_is_read_as_it_is_shown(read: Read) -> None:
    options = "/Opt [[(m) (Manager)] [(c) (Clerk)]]"
    extracted = read("a.pdf", samples.pdf([["Role:"]], filled=[Filled("c", 120, 768, "Ch", facts=options)]))
    assert extracted.text.split() == ["Role:", "Clerk"]


@pytest.mark.parametrize("bottom", [742, 744, 746])
def test_an_answer_that_the_line_above_it_names_is_not_lost(read: Read, bottom: float) -> None:
    """The boxes of fields reach a little into the lines above them."""
    filled = [Filled("2", 72, bottom)]
    text = read("a.pdf", samples.pdf([[Line("Choose 1 or 2", drop=22)]], filled=filled)).text
    assert text.split() == ["Choose", "1", "or", "2", "2"]


@pytest.mark.parametrize(
    "field",
    [
        Filled("secret", 120, 768, hidden=True),
        Filled("secret", 120, 768, facts=f"/Ff {1 << 13}"),
        Filled("", 120, 768),
        Filled("Name:", 72, 768, "FreeText"),  # as the page says itself, at the same place
    ],
)
def test_what_nobody_sees_is_not_read_and_nothing_is_read_twice(read: Read, field: Filled) -> None:
    assert read("a.pdf", samples.pdf([["Name:"]], filled=[field])).text == "Name:"


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=3, max_size=6), KINDS, st.data())
@SETTINGS
def test_what_was_filled_into_a_ruled_table_stands_in_its_cells(
    read: Read, rows: list[list[str]], kind: str, data: st.DataObject
) -> None:
    """Whichever cells are the form's own and which were filled in."""
    table = [["Question", "Answer"], *rows]
    blank = data.draw(st.sets(st.sampled_from([(row, at) for row in range(1, len(table)) for at in (0, 1)])))
    top = 774
    drawn: list[Line | str | Stroke] = [Stroke(72, top - 20 * at, 472, top - 20 * at) for at in range(len(table) + 1)]
    drawn += [Stroke(72 + 200 * at, top - 20 * len(table), 72 + 200 * at, top) for at in range(3)]
    filled, above = [], 0
    for row, cells in enumerate(table):
        for at, text in enumerate(cells):
            if (row, at) in blank:
                filled.append(Filled(text, 76 + 200 * at, top - 17 - 20 * row, kind))
            else:
                drawn.append(Line(text, left=76 + 200 * at, drop=20 * (row + 1) - above))
                above = 20 * (row + 1)
    wanted = [" | ".join(cells) for cells in table]
    wanted.insert(1, "--- | ---")
    assert read("a.pdf", samples.pdf([drawn], filled=filled)).text == "\n".join(f"| {line} |" for line in wanted)
