"""A PDF that is read in parts is the same as one that is read at once, wherever it is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from documents.readers.pdf import reader
from documents.text import Extracted
from errors import TaskError
from tests.documents import samples
from tests.documents.extracted import headings, pages
from tests.documents.long_pdf import long_pdf
from tests.documents.samples import Line

PAGES = 61


def in_parts(folder: Path, path: Path, size: int) -> Extracted:
    """Read so many pages at a time, and put them together."""
    count = reader.count(path)
    parts = []
    for first in range(0, count, size):
        parts.append(folder / f"part{first}")
        parts[-1].write_bytes(reader.read_part(path, first, min(first + size, count)))
    return reader.join(parts)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "document"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("outline", [True, False])
def test_a_handbook_is_the_same_wherever_it_is_cut(tmp_path: Path, outline: bool) -> None:
    path = write(tmp_path, long_pdf(PAGES, outline=outline))
    whole = reader.read(path)
    for size in (1, 7, 20, 60, PAGES):
        assert in_parts(tmp_path, path, size) == whole, size
    # What the comparison is worth: headers, footers, headings, divided words and pages are all there to be got wrong.
    assert len(whole.warnings) == 1
    assert "Handbook of" in whole.warnings[0]
    assert "Page 1 of 61" in whole.warnings[0]
    assert "Handbook of" not in whole.text
    assert "Page 40 of" not in whole.text
    assert [title for _, title in headings(whole) if title and title.startswith("Chapter 3")] != []
    assert len(pages(whole)) == PAGES
    assert "-\n" not in whole.text


@pytest.mark.parametrize("seed", range(8))
def test_small_documents_are_the_same_whatever_is_in_them(tmp_path: Path, seed: int) -> None:
    path = write(tmp_path, long_pdf(seed + 2, seed, outline=bool(seed % 2)))
    whole = reader.read(path)
    assert [in_parts(tmp_path, path, size) for size in (1, 2, 3)] == [whole] * 3


def test_a_header_of_every_second_part_is_judged_by_all_pages(tmp_path: Path) -> None:
    """In a part of its own it would be a header; of the whole, it is on no more than half of the pages."""
    words = ("Ada wrote the first program.", "Grace found the bug.", "Alan broke the code.", "Edsger walked.")
    heads = ["Odd" if at // 4 % 2 else f"Even {at * at + 1}" for at in range(16)]
    made = [[Line(head), Line(words[at % 4] + f" {at * at}", drop=40)] for at, head in enumerate(heads)]
    path = write(tmp_path, samples.pdf(made))
    assert in_parts(tmp_path, path, 4) == reader.read(path)
    assert [reader.read(path).text.count(word) for word in ("Odd", "Even")] == [8, 8]


def test_pages_without_text_are_numbered_in_the_whole(tmp_path: Path) -> None:
    path = write(tmp_path, samples.pdf([["One."], None, [], None, ["Five."]]))
    joined = in_parts(tmp_path, path, 2)
    assert joined == reader.read(path)
    assert joined.warnings == ["2 of 5 pages hold a picture and next to no text, and would need OCR: pages 2, 4"]
    assert joined.properties["coverage"] == {"text": [[1, 1], [5, 5]], "picture": [[2, 2], [4, 4]], "blank": [[3, 3]]}


@pytest.mark.parametrize(("made", "code"), [([None] * 5, "needs_ocr"), ([[]] * 5, "empty")])
def test_a_document_without_text_is_refused_in_parts_as_well(
    tmp_path: Path, made: list[list[str] | None], code: str
) -> None:
    with pytest.raises(TaskError) as refused:
        in_parts(tmp_path, write(tmp_path, samples.pdf(made)), 2)
    assert refused.value.code == code
