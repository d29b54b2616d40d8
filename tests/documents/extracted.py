"""What tests ask of a text that was read."""

from __future__ import annotations

from typing import Protocol

from documents.text import Extracted

#: What every format must carry through, and what no format may lose a character of.
ENGLISH = "Fifteen days of leave a year; “more” after 5 years & <not> before 1 June."
CHINESE = "员工每年享有十五天带薪年假，五年后增加——“六月一日”之前不得休假；㐀𠀀龥。"


class Read(Protocol):
    """Reads a file of the given name and content."""

    def __call__(self, name: str | None, data: bytes | str, content_type: str | None = None) -> Extracted: ...


def headings(extracted: Extracted) -> list[tuple[int | None, str | None]]:
    """Level and title of each heading."""
    return [(anchor.level, anchor.title) for anchor in extracted.anchors if anchor.kind == "heading"]


def spans(extracted: Extracted, kind: str) -> list[str]:
    """The pieces of text that anchors of a kind name."""
    return [extracted.text[anchor.start : anchor.end] for anchor in extracted.anchors if anchor.kind == kind]


def pages(extracted: Extracted) -> list[str]:
    """The text of each page."""
    starts = [anchor.start for anchor in extracted.anchors if anchor.kind == "page"]
    ends = [*starts[1:], len(extracted.text)]
    return [extracted.text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
