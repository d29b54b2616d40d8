"""What a PDF says of itself."""

from __future__ import annotations

import pytest

from documents.readers.pdf import reader
from tests.processes import ROOT


def test_a_pdf_tells_its_title_and_when_it_was_made() -> None:
    (path,) = ROOT.glob("samples/**/field-guide.pdf")
    properties = reader.read(path).properties
    assert properties["title"] == "Birds of the Lantern Coast"
    assert properties["created"] == "2026-11-24T00:00:00Z"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("D:20240305143000+08'00'", "2024-03-05T14:30:00+08:00"),
        ("D:20240305143000-05'30", "2024-03-05T14:30:00-05:30"),
        ("20240305143000Z00'00'", "2024-03-05T14:30:00Z"),
        ("D:2024030514", "2024-03-05T14:00:00"),
        ("D:202403", "2024-03"),
        ("D:2024", "2024"),
        ("5 March 2024", "5 March 2024"),
    ],
)
def test_a_date_is_written_as_everywhere_and_left_as_it_is_where_it_is_none(date: str, expected: str) -> None:
    assert reader._moment(date) == expected
