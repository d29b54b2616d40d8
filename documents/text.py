"""What a reader makes of a document: its text, and anchors that say where pages, headings and tables lie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from errors import TaskError

#: A document that expands to more than this is refused; PostgreSQL's own limit for a value is 1 GB.
MAX_CHARACTERS = 100_000_000

#: Warnings that a reader gives; of what there are more they are only counted.
MOST_WARNINGS = 100
_LISTED_PAGES = 20
#: Characters of a cell that is written again in each row that it reaches over: a value or a name, not a paragraph.
_LONGEST_REPEATED = 200
#: Characters that PostgreSQL, JSON or UTF-8 cannot carry, or that no reader of a text can see.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Anchor:
    """A place in a text. Offsets count characters; `end` is exclusive and None where only the start is known.

    kind is `page`, `heading`, `table` or `code`. A heading of level 0 is the document's own title.
    """

    start: int
    kind: str
    end: int | None = None
    page: int | None = None
    level: int | None = None
    title: str | None = None

    def record(self) -> dict[str, Any]:
        """Write the anchor as JSON, without what it lacks; `Anchor(**record)` is the way back."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(slots=True)
class Extracted:
    """A document's text and what was learned on the way. `warnings` are sentences for the submitter, no more
    than `shorten` leaves."""

    text: str
    anchors: list[Anchor]
    format: str
    pages: int | None = None
    encoding: str | None = None
    warnings: list[str] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    unread: bool = False
    """Whether the document has more pages than were to be read at once: then this is all but its text."""

    def __post_init__(self) -> None:
        self.warnings = shorten(self.warnings)


def shorten(warnings: list[str]) -> list[str]:
    """Return the first `MOST_WARNINGS`, and how many more there are: a mail or an archive can cause thousands."""
    more = len(warnings) - MOST_WARNINGS
    return [*warnings[:MOST_WARNINGS], f"there are {more:,} more warnings"] if more > 0 else warnings


def clean(text: str) -> tuple[str, int]:
    """Return the text without control characters and lone surrogates, and how many there were.

    A control character is removed, a lone surrogate becomes U+FFFD. White space stays as it is.
    """
    removed = replaced = 0
    if _UNWANTED.search(text):
        text, removed = _UNWANTED.subn("", text)
    if not text.isascii() and _SURROGATES.search(text):
        text, replaced = _SURROGATES.subn("\ufffd", text)
    return text, removed + replaced


def clean_warning(count: int) -> list[str]:
    """Return what the submitter is told when `clean` found something."""
    if not count:
        return []
    return [f"{count} control characters that a database cannot hold were removed"]


def require_length(characters: int) -> None:
    """Refuse a text that has grown beyond `MAX_CHARACTERS`.

    Raises:
      TaskError: too_large.
    """
    if characters > MAX_CHARACTERS:
        raise TaskError("too_large", f"the document holds more than {MAX_CHARACTERS:,} characters of text")


class Writer:
    """Builds a text out of blocks and notes the anchors on the way."""

    def __init__(self) -> None:
        self.anchors: list[Anchor] = []
        self.length = 0
        self.removed = 0
        self._parts: list[str] = []

    def block(self, text: str, kind: str | None = None, *, tight: bool = False, **facts: Any) -> None:
        """Add a block after an empty line, or after a mere line end where it is `tight`.

        With a kind the block gets an anchor, to which `facts` belong. A block without text is dropped.
        """
        text, removed = clean(text)
        self.removed += removed
        text = text.strip("\n")
        if not text.strip():
            return
        if self._parts:
            self._append("\n" if tight else "\n\n")
        if kind:
            self.anchors.append(Anchor(self.length, kind, self.length + len(text), **facts))
        self._append(text)

    def heading(self, title: str, level: int, mark: str = "") -> None:
        """Add a heading; `mark` is written before it, as in Markdown."""
        title = " ".join(clean(title)[0].split())
        if title:
            self.block(mark + title, "heading", level=level, title=title)

    def code(self, code: str) -> None:
        """Add a block of code between fences; its lines stay as they are."""
        if (code := code.strip("\n")).strip():
            fence = "~~~~~~" if "```" in code else "```"
            self.block(f"{fence}\n{code}\n{fence}", "code")

    def marked(self, text: str, anchors: Iterable[Anchor]) -> None:
        """Add a text that has anchors already, with offsets in it; it must be clean and have no line ends around it."""
        start = self.next_block()
        self.block(text)
        self.anchors += (
            replace(anchor, start=start + anchor.start, end=_moved(anchor.end, start)) for anchor in anchors
        )

    def more(self, text: str, joint: str) -> None:
        """Go on with the block that was written last, after `joint`; it must not be one with an anchor."""
        text, removed = clean(text)
        self.removed += removed
        self._append(joint)
        self._append(text.strip("\n"))

    def page(self, number: int, joint: str = "\n\n") -> None:
        """Begin page `number`, counted from 1, with what is written next; `joint` is what will stand before it."""
        self.anchors.append(Anchor(self.next_block(joint), "page", page=number))

    def next_block(self, joint: str = "\n\n") -> int:
        """Return where the next block will start, if it is not tight."""
        return self.length + len(joint) if self._parts else 0

    def finish(self, format: str, **facts: Any) -> Extracted:
        """Return what was written, as a reader returns it."""
        text = "".join(self._parts)
        warnings = [clean(warning)[0] for warning in (*facts.pop("warnings", []), *clean_warning(self.removed))]
        if properties := facts.get("properties"):
            cleaned = {name: clean(value)[0] if isinstance(value, str) else value for name, value in properties.items()}
            facts["properties"] = cleaned
        anchors = [anchor for anchor in self.anchors if anchor.start <= len(text)]
        return Extracted(text, anchors, format, warnings=warnings, **facts)

    def _append(self, part: str) -> None:
        self._parts.append(part)
        self.length += len(part)
        require_length(self.length)


def _moved(end: int | None, by: int) -> int | None:
    return None if end is None else end + by


def table_lines(rows: list[list[str]]) -> str:
    """Write rows as a Markdown table whose first row is the header; shorter rows are filled up.

    Raises:
      TaskError: too_large; before anything is filled up, since one wide row can make millions of cells of small rows.
    """
    width = max(map(len, rows))
    require_length(len(rows) * width * len(" | "))
    lines = [_row(row + [""] * (width - len(row))) for row in rows]
    lines.insert(1, "|" + " --- |" * width)
    return "\n".join(lines)


def repeated(cell: str) -> str:
    """Return what stands in the further rows that a cell reaches over: its value again, unless it is long."""
    return cell if len(cell) <= _LONGEST_REPEATED else ""


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def listed(numbers: list[int], noun: str = "page") -> str:
    """List page numbers for a sentence, runs of them as in 3-7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs[:_LISTED_PAGES]]
    more = f" and {len(runs) - _LISTED_PAGES} more" if len(runs) > _LISTED_PAGES else ""
    return f"{noun}{'s' if len(numbers) > 1 else ''} {', '.join(shown)}{more}"
