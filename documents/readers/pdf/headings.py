"""Which lines of a PDF are headings: those that its outline names, else large ones, and bold ones with numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

from documents.readers.shared.layout import Line

_NOISE = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"(?:chapter|section|appendix|part|第)?[\divxlc一二三四五六七八九十a-z]{0,8}[章节節部篇]?$")
_BEGINNING = 4  # so much of a title is its beginning, in letters
_LONGEST_NUMBER = 12  # with its word, as in chapter
_MOST_LINES = 4  # that a heading may run over
_LARGER = 1.12
_LEVELS = 4
#: Where there is no large line in so many pages, those that there are head no part of the document.
_MOST_PAGES = 25
#: A numbered heading: digits with points, or 第三章; how long it may be; the least headings that follow each other by
#: their numbers, and which share of them does.
_NUMBERED = re.compile(
    r"(?P<digits>\d{1,2}(?:\.\d{1,2}){0,3}\.?)\s+(?=[^\W\d_])|第\s*[\d〇零一二三四五六七八九十百]{1,5}\s*(?P<kind>[章节節])\s*(?=\w)"
)
_BEGINNINGS = frozenset("0123456789第")
_LONGEST_NUMBERED = 100
_FEWEST_FOLLOWING, _MOST_FOLLOW = 2, 0.6
_LONGEST = 160
#: Where more of the lines than this are set large, size says nothing: slides, posters.
_MOST_SHARE = 0.25


#: The index of a bookmark's page, its level from 1, and its title.
Entry = tuple[int, int, str]


class Outline:
    """The bookmarks of a PDF, looked up on the pages that they lead to."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.titles: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for index, level, title in entries:
            if letters := letters_of(title):
                self.titles[index].append((level, letters))

    def may_name(self, index: int, texts: Iterable[str]) -> bool:
        """Return whether one of some lines on a page may be the title of a bookmark that leads there, or begin it."""
        titles = [title for _, title in self.titles.get(index, ())]
        return any(
            letters.endswith(title) or _begins(letters, title)
            for letters in map(letters_of, texts if titles else ())
            for title in titles
        )

    def levels(self, index: int, lines: list[Line]) -> dict[int, int]:
        """Return the heading level of each line, by its index, that belongs to a bookmark's title."""
        wanted = self.titles.get(index)
        if not wanted:
            return {}
        plain = [letters_of(line.text) for line in lines]
        levels: dict[int, int] = {}
        for level, title in wanted:
            runs = _runs(plain, title)
            free = [run for run in runs if not any(line in levels for line in run)]
            if free:
                best = max(free, key=lambda run: lines[run[0]].size)
                levels.update(dict.fromkeys(best, level))
        return levels


class Shape:
    """How the lines of a PDF without an outline are set: those larger than the body text are headings, and bold ones
    that are numbered."""

    def __init__(self, pages: Iterable[list[Line]]) -> None:
        weights: Counter[float] = Counter()
        counts: Counter[float] = Counter()
        numbers: list[tuple[int, ...]] = []
        count = 0
        for lines in pages:
            count += 1
            stamps = _stamps(lines)
            for index, line in enumerate(lines):
                weights[line.size] += len(line.text)
                counts[line.size] += index not in stamps
                if line.bold:
                    numbers.append(_number_of(line.text))
        self._levels: dict[float, int] = {}
        body = weights.most_common(1)[0][0] if weights else 0.0
        larger = sorted((size for size in counts if counts[size] and size >= body * _LARGER), reverse=True)
        large = sum(counts[size] for size in larger)
        if large <= _MOST_SHARE * sum(counts.values()) and large * _MOST_PAGES >= count:
            self._levels = {size: min(rank, _LEVELS) for rank, size in enumerate(larger, 1)}
        following = sum(_follows(before, number) for before, number in pairwise(numbers))
        self._numbered = following >= max(_FEWEST_FOLLOWING, _MOST_FOLLOW * (len(numbers) - 1))
        self._body = body

    def levels(self, lines: list[Line]) -> dict[int, int]:
        """Return the level of each line of a page, by the line's index, that is a heading or part of one."""
        stamps = _stamps(lines)
        levels = {
            index: self._levels[line.size]
            for index, line in enumerate(lines)
            if line.size in self._levels and index not in stamps
        }
        for run in _neighbours(levels):
            text = "".join(lines[index].text for index in run)
            if len(run) > _MOST_LINES or len(text) > _LONGEST or sum(map(str.isalpha, text)) < 2:
                for index in run:
                    del levels[index]
        if self._numbered:
            for index, line in enumerate(lines):
                if line.bold and index not in levels and line.size >= self._body:
                    above = sum(size > line.size for size in self._levels)
                    levels[index] = min(above, 2) + len(_number_of(line.text))
        return levels


def may_be_numbered(text: str) -> int:
    """Return where the title begins of a line that may be a numbered heading; 0 where it is none."""
    if len(text) > _LONGEST_NUMBERED or text[0] not in _BEGINNINGS or text[-1] in ".,;:。，；：、":
        return 0
    match = _NUMBERED.match(text)
    return match.end() if match else 0


def _number_of(text: str) -> tuple[int, ...]:
    """Return the number of a heading by its parts; of 第三章 the rank of its kind stands for the parts before."""
    match = _NUMBERED.match(text)
    if match is None:
        return (0,)
    if match["digits"]:
        return tuple(map(int, match["digits"].rstrip(".").split(".")))
    return (0,) * ("章节節".index(match["kind"]) > 0) + (0,)


def _follows(before: tuple[int, ...], number: tuple[int, ...]) -> bool:
    """Return whether a number may be that of the heading after another: 2.1 after 2, 3 after 2.4."""
    if 0 in before or 0 in number:
        return True
    if number[:-1] == before and number[-1] == 1:
        return True
    at = len(number) - 1
    return at < len(before) and number[:at] == before[:at] and number[at] == before[at] + 1


def _stamps(lines: list[Line]) -> set[int]:
    """Return the lines that are written upwards or downwards, by their indexes, unless the page lies on its side."""
    turned = {
        index
        for index, line in enumerate(lines)
        if abs(line.bottom - line.last_bottom) > max(2 * line.size, line.right - line.left)
    }
    return turned if 2 * len(turned) < len(lines) else set()


def _neighbours(levels: dict[int, int]) -> list[list[int]]:
    """Return runs of lines that follow each other and have the same level."""
    runs: list[list[int]] = []
    for index in levels:
        if runs and runs[-1][-1] == index - 1 and levels[index - 1] == levels[index]:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _runs(plain: list[str], title: str) -> list[list[int]]:
    """Return where a title stands among the lines: runs of indices, the heading's number included."""
    runs = []
    for first, start in enumerate(plain):
        if not 0 < len(start) <= len(title) + _LONGEST_NUMBER or not _may_begin(start, title):
            continue
        joined = ""
        for last in range(first, min(first + _MOST_LINES, len(plain))):
            joined += plain[last]
            if joined == title or (joined.endswith(title) and _NUMBER.match(joined.removesuffix(title))):
                runs.append(list(range(first, last + 1)))
                break
            if len(joined) > len(title) + _LONGEST_NUMBER:
                break
    return runs


def _begins(letters: str, title: str) -> bool:
    """Return whether a line is the first of a title's lines, perhaps after its number."""
    at = letters.find(title[:_BEGINNING])
    return at >= 0 and title.startswith(letters[at:])


def _may_begin(line: str, title: str) -> bool:
    return title.startswith(line) or line.endswith(title) or line[-8:] in title or bool(_NUMBER.match(line))


def is_number(letters: str) -> bool:
    """Return whether letters and digits may be what numbers a heading, such as chapter3 or 第三章, or a page."""
    return _NUMBER.match(letters) is not None


def letters_of(text: str) -> str:
    """Return a text's letters and digits alone, without case."""
    return _NOISE.sub("", text).casefold()
