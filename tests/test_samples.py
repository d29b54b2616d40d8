"""The sample documents are what their sources make of them, and hold what they are meant to show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from documents.reading.extraction import extract
from documents.text import Extracted
from tests.test_requirements import ROOT

SAMPLES = ROOT / "samples"
NAMES = ("field-guide.pdf", "museum-handbook.docx", "tea-garden.txt")


def read(name: str) -> Extracted:
    """What the service makes of a sample."""
    extracted = extract(SAMPLES / name, filename=name)
    assert extracted.warnings == []
    return extracted


def headings(extracted: Extracted) -> dict[str, int]:
    """The level of each heading by its title."""
    return {str(anchor.title): anchor.level or 0 for anchor in extracted.anchors if anchor.kind == "heading"}


def test_they_are_made_anew_byte_for_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "samples.generate", str(tmp_path)], cwd=ROOT, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(NAMES)
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes(), f"{name}: python -m samples.generate"


def test_the_pdf_has_pages_and_three_levels_of_headings() -> None:
    extracted = read("field-guide.pdf")
    assert (extracted.format, extracted.pages) == ("pdf", 4)
    assert extracted.properties["title"] == "Birds of the Lantern Coast"
    levels = headings(extracted)
    assert [title for title, level in levels.items() if level == 1] == ["Birds of the Lantern Coast"]
    assert [title for title, level in levels.items() if level == 2] == [
        "The Dunes",
        "The Cliffs",
        "The Salt Marsh",
        "Planning a Visit",
    ]
    assert levels["Bell Petrel"] == 3
    assert "Counted from boats in June, the colony below Cape Morrow held 1,340 pairs." in extracted.text


def test_the_word_document_has_a_title_a_table_a_list_a_footnote_and_both_languages() -> None:
    extracted = read("museum-handbook.docx")
    assert extracted.format == "docx"
    levels = headings(extracted)
    assert levels["Handbook of the Cape Morrow Lighthouse Museum"] < levels["Working Here"] < levels["Leave"]
    assert "| Summer, June to August | 9:30 to 19:00 | 9 crowns | 4 crowns | 20 crowns |" in extracted.text
    assert "\n4. Wind the clockwork with forty turns of the crank" in extracted.text
    assert "than half an hour.[^1]" in extracted.text
    assert "[^1]: Mercury was measured" in extracted.text
    assert "每天下午两点有普通话讲解" in extracted.text


def test_the_chinese_text_needs_gb18030_and_is_known_by_it() -> None:
    data = (SAMPLES / "tea-garden.txt").read_bytes()
    for older in ("utf-8", "gbk"):
        with pytest.raises(UnicodeDecodeError):
            data.decode(older)
    extracted = read("tea-garden.txt")
    assert extracted.encoding == "gb18030"
    assert extracted.text == (SAMPLES / "sources" / "tea-garden.txt").read_text(encoding="utf-8")
    assert headings(extracted)["第三章 冲泡与贮藏"] == 2
