"""Lines as a PDF places them, put together into paragraphs as a reader sees them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

#: What pdfium puts where a word is divided at a line's end.
MARKS = "\x02\ufffe"
_DIVIDED = re.compile(f"([^\\W\\d_]*)[{MARKS}]+([^\\W\\d_]*)")
_HYPHEN = re.compile(r"([^\W\d_]*)(?<=\w)-$")
_LETTERS = re.compile(r"[^\W\d_]*")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CJK = "\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
#: What pdfium sees between two Chinese characters, and no reader where it is narrow.
BETWEEN_CJK = re.compile(f"(?<=[{_CJK}])[ \u00a0]+(?=[{_CJK}])")
#: Characters that are as wide as they are high.
WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]")
_ENDS_CJK = re.compile(f"[{_CJK}“”‘’…—]$")
_STARTS_CJK = re.compile(f"[{_CJK}“”‘’…—]")
_BULLET = re.compile(
    r"[•◦▪▫●○■□‣⁃∙·*–—-]\s+\S|[(（](?:\d{1,3}|[a-zA-Z]|[ivx]{2,4}|[一二三四五六七八九十]{1,3})[)）]"
    r"|(?:\d{1,3}|[a-zA-Z]|[ivx]{2,4})[.)]\s+\S|(?:\d{1,3}|[一二三四五六七八九十]{1,3})、"
)
#: The dots of a table of contents.
_LEADERS = re.compile(r"(?:[ \u00a0]?[.．·…]){6,}")
BULLETS = frozenset("•◦▪▫●○■□‣⁃∙·*–—-\uf0b7\uf0a7")
_SENTENCE_END = tuple(".!?:;。！？：；…”」』")
#: What stands for a wide gap until the spaces between Chinese characters are dropped.
_WIDE = "\u2003"
#: Cells of a row are so far apart, in sizes of their font; words that are spread to fill a line are less.
_CELLS_APART = 1.0
#: The end of a line of which the sentence may go on in the next.
_RUNS_OUT = re.compile(f"(?![。！？：；…”」』])[{_CJK}]$")
#: What numbers a chapter or an article.
NUMBERED = re.compile(r"第\s*[\d〇零一二三四五六七八九十百千]+\s*[章节節条條款部篇编編回]")
#: Lines of a paragraph are no farther apart than double spacing makes them, in sizes of their font, and those after the
#: first no farther to the right.
_WIDEST_PITCH, _DEEPEST_HANG = 2.7, 3.0
#: A column of running text is no narrower, in sizes of its font.
_SHORTEST = 12.0
#: A line pitch this many times the usual one separates paragraphs.
_GAP = 1.35
#: Lines of one size that tell how far apart they are set.
_FEWEST_STEPS = 4
#: The rest of a divided word is no farther below its beginning, in sizes of its font.
_FARTHEST = 3.0


#: A wide gap in a line: the index of the first character after it, and its edges in points.
Gap = tuple[int, float, float]
#: A line whose characters are all of one width: its text with as many spaces as have room, that width in points, and
#: whether its letters show it; those of some lines, such as "}", might be of any font.
Typed = tuple[str, float, bool]


@dataclass(slots=True)
class Line:
    """A line of a page: its text, its edges, its lower edges at both ends and its font's size, in points."""

    text: str
    left: float
    right: float
    bottom: float
    last_bottom: float  # of the last character, which is another where a line is slanted
    size: float
    gaps: list[Gap] = field(default_factory=list)
    typed: Typed | None = None
    cell: tuple[int, int, int] | None = None  # the number of a ruled table on its page, its row and its column
    bold: bool = False  # of lines that may be numbered headings; of others it is not asked


@dataclass(slots=True)
class Block:
    """A paragraph, or a heading when it has a level."""

    text: str
    level: int | None = None


class Hyphens:
    """Decides whether a hyphen at a line's end divides a word or belongs to it: by the other words."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._words = {word for text in texts for word in _WORD.findall(text.lower())}

    def join(self, text: str) -> str:
        """Return the text with its divided words put together."""
        if not is_divided(text):
            return text
        return _DIVIDED.sub(lambda match: self._joined(*match.groups()), text)

    def before(self, text: str, after: str) -> str | None:
        """Return a text that ends with a hyphen, without it where it divides a word of which `after` has the rest.

        None where no hyphen ends the text.
        """
        match = _HYPHEN.search(text)
        if match is None:
            return None
        left, right = match[1], _LETTERS.match(after)[0]  # type: ignore[index]
        return text[:-1] if self._joined(left, right) == left + right else text

    def _joined(self, left: str, right: str) -> str:
        hyphenated = f"{left}-{right}"
        if not left or not right:  # a range, or COVID-19
            return hyphenated
        if (left + right).lower() not in self._words and (hyphenated.lower() in self._words or right[0].isupper()):
            return hyphenated
        return left + right


def is_divided(text: str) -> bool:
    """Return whether a text has a word that is divided at a line's end."""
    return "\x02" in text or "\ufffe" in text


class Frame:
    """How the lines of a page are set: how far apart they usually are, in points, and how far their columns reach."""

    def __init__(self, lines: list[Line]) -> None:
        self._pitches = _pitches(lines)
        widest: dict[int, float] = {}
        for line in lines:
            column = _column(line)
            widest[column] = max(widest.get(column, 0.0), line.right)
        self._reach = {column: max(widest.get(column + step, 0.0) for step in (-1, 0, 1)) for column in widest}

    def pitch(self, line: Line) -> float:
        """Return how far apart lines of a line's size usually are: notes are closer than a text in double spacing."""
        return self._pitches.get(line.size, self._pitches[0.0])

    def right(self, line: Line) -> float:
        """Return how far to the right the lines of a line's column reach."""
        return self._reach[_column(line)]


def _column(line: Line) -> int:
    return int(line.left // 60)


def blocks_of(lines: list[Line], levels: dict[int, int], hyphens: Hyphens, frame: Frame) -> list[Block]:
    """Return the paragraphs among lines that follow each other. `levels` names those, by index, that are headings."""
    if not lines:
        return []
    blocks: list[Block] = []
    parts = [_spaced(lines[0])]
    has_cells = False  # whether the row that is at hand is one of cells, which end it
    for index in range(1, len(lines)):
        before, line = lines[index - 1], lines[index]
        row = same_row(before, line)
        if levels.get(index - 1) != levels.get(index) or (not row and _separate(before, line, frame)):
            blocks.append(_block(parts, levels.get(index - 1), hyphens))
            parts = []
        elif before.text[-1] in MARKS:
            parts.append("")
        elif row:
            has_cells |= (apart := line.left - before.right > _CELLS_APART * line.size)
            parts.append(_WIDE if apart else " ")
        elif levels.get(index) is None and (has_cells or breaks(before, line, frame)):
            parts.append("\n")
        else:
            parts.append(glue(before.text, line.text))
        has_cells &= row
        parts.append(_spaced(line))
    blocks.append(_block(parts, levels.get(len(lines) - 1), hyphens))
    return blocks


def breaks(before: Line, line: Line, frame: Frame) -> bool:
    """Return whether a line stays a line of its own within a paragraph."""
    return (
        (_short(before, frame.right(before)) and not _flows(before, line)) or _is_tabular(before) or _is_tabular(line)
    )


def _block(parts: list[str], level: int | None, hyphens: Hyphens) -> Block:
    text = hyphens.join("".join(parts)).replace("\r", "")
    if not text.isascii():
        text = BETWEEN_CJK.sub("", text).replace(_WIDE, " ")
    if not text.isascii() or "...." in text or ". . ." in text:
        text = _LEADERS.sub(" …", text)
    return Block(text, level)


def has_mark(text: str) -> bool:
    """Return whether a text begins with the mark of a list's item."""
    return text[:1] in BULLETS or _BULLET.match(text) is not None


def _spaced(line: Line) -> str:
    """Return the text of a line with its wide gaps kept, which would be dropped between Chinese characters.

    A word that is set wide, each character by itself, has none.
    """
    text = line.text
    for at, _, _ in line.gaps if not text.isascii() else ():
        before, after = text[:at].split(), text[at:].split()
        if before and after and len(before[-1]) + len(after[0]) > 2:
            text = text[: at - 1] + _WIDE + text[at:]
    return text


def _is_tabular(line: Line) -> bool:
    """Return whether a line is a row of cells, not one of a paragraph: it has a gap that follows no item's mark."""
    return bool(line.gaps) and any(
        right - left >= _CELLS_APART * line.size and not (number == 0 and has_mark(line.text))
        for number, (_, left, right) in enumerate(line.gaps)
    )


def glue(before: str, after: str) -> str:
    """Return what stands between two lines of a paragraph: nothing in Chinese, or where a word is divided."""
    if before[-1] in MARKS:
        return ""
    return "" if not before.isascii() and _ENDS_CJK.search(before) and _STARTS_CJK.match(after) else " "


def _separate(before: Line, line: Line, frame: Frame) -> bool:
    """Return whether a new paragraph begins with a line below another."""
    right = frame.right(before)
    pitch = before.last_bottom - line.bottom
    divided = before.text[-1] in MARKS
    if divided and line.text[0].islower():  # a footnote's number may be smaller than its text
        return pitch > _FARTHEST * line.size
    if abs(before.size - line.size) > 0.12 * max(before.size, line.size):
        return True
    if divided:
        return pitch > _FARTHEST * line.size
    if _BULLET.match(line.text) and (
        not line.text[0].isalnum() or before.text.endswith(_SENTENCE_END) or _short(before, right)
    ):
        return True
    if pitch < 0:  # the next column
        return before.text.endswith(_SENTENCE_END)
    if _runs_on(before, line, right):
        return pitch > _WIDEST_PITCH * line.size
    usual = frame.pitch(line)
    if usual and pitch > usual * _GAP and pitch > line.size * 1.1:
        return True
    indent = line.left - before.left
    if indent > 0.8 * line.size and not _BULLET.match(before.text) and before.text.endswith(_SENTENCE_END):
        return True
    return _short(before, right) and before.text.endswith(_SENTENCE_END[:3] + _SENTENCE_END[5:8])


def _runs_on(before: Line, line: Line, right: float) -> bool:
    """Return whether a Chinese line has no room left for the rest of its sentence, or breaks off at a comma.

    However far apart lines stand: those of a table, or of code, on the same page may be closer.
    """
    if before.gaps or line.gaps or _BULLET.match(line.text) or NUMBERED.match(line.text):
        return False
    if not (_RUNS_OUT.search(before.text) and _STARTS_CJK.match(line.text)):
        return False
    if line.left - before.left > _DEEPEST_HANG * line.size:
        return False
    if before.right - before.left < _SHORTEST * before.size:
        return False
    return before.text[-1] in "，、" or right - before.right < 1.5 * before.size


def same_row(before: Line, line: Line) -> bool:
    """Return whether two lines that follow each other stand at one height."""
    return abs(before.last_bottom - line.bottom) < 0.5 * max(min(before.size, line.size), 1)


def _short(line: Line, right: float) -> bool:
    """Return whether a line ends so early that another word would have fitted."""
    return right - line.right > max(4 * line.size, 0.12 * (right - line.left))


def _flows(before: Line, line: Line) -> bool:
    """Return whether a short line goes on in the next one all the same: mid-sentence, in running text."""
    return line.text[0].islower() and before.text[-1] not in ".!?:;" and len(before.text) > 30


def _pitches(lines: list[Line]) -> dict[float, float]:
    """Return the usual distance between two lines of a paragraph on a page, in points, by the size of both.

    Under 0 that of all lines, for sizes of which there are too few.
    """
    steps: defaultdict[float, Counter[int]] = defaultdict(Counter)
    for before, line in pairwise(lines):
        step = before.last_bottom - line.bottom
        if 0.8 * line.size < step < 3 * line.size:
            steps[line.size if before.size == line.size else 0.0][round(step)] += 1
    usual = {size: _usual(counts) for size, counts in steps.items() if counts.total() >= _FEWEST_STEPS}
    every = next(iter(steps.values())) if len(steps) == 1 else sum(steps.values(), Counter[int]())
    return usual | {0.0: _usual(every) if every else 0.0}


def _usual(steps: Counter[int]) -> float:
    enough = max(2, steps.total() // 5)
    frequent = [step for step, count in steps.items() if count >= enough]
    return float(min(frequent) if frequent else steps.most_common(1)[0][0])
