"""Which lines of a PDF are headings: those that its outline names, else those larger than the body text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from documents.readers.shared.layout import Line

_NOISE = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"(?:chapter|section|appendix|part|第)?[\divxlc一二三四五六七八九十a-z]{0,8}[章节節部篇]?$")
_BEGINNING = 4  # so much of a title is its beginning, in letters
_LONGEST_NUMBER = 12  # with its word, as in chapter
_MOST_LINES = 4  # that a heading may run over
_LARGER = 1.12
_LEVELS = 4
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
            found = _runs(plain, title)
            free = [run for run in found if not any(line in levels for line in run)]
            if free:
                best = max(free, key=lambda run: lines[run[0]].size)
                levels.update(dict.fromkeys(best, level))
        return levels


class Sizes:
    """The font sizes of a PDF without an outline: what is larger than the body text is a heading."""

    def __init__(self, lines: Iterable[Line]) -> None:
        weights: Counter[float] = Counter()
        counts: Counter[float] = Counter()
        for line in lines:
            weights[line.size] += len(line.text)
            counts[line.size] += 1
        self._levels: dict[float, int] = {}
        body = weights.most_common(1)[0][0] if weights else 0.0
        larger = sorted((size for size in counts if size >= body * _LARGER), reverse=True)
        if sum(counts[size] for size in larger) <= _MOST_SHARE * sum(counts.values()):
            self._levels = {size: min(rank, _LEVELS) for rank, size in enumerate(larger, 1)}

    def levels(self, lines: list[Line]) -> dict[int, int]:
        """Return the heading level of each line of a page, by the line's index, that is set larger than the body."""
        levels = {index: self._levels[line.size] for index, line in enumerate(lines) if line.size in self._levels}
        for run in _neighbours(levels):
            text = "".join(lines[index].text for index in run)
            if len(run) > _MOST_LINES or len(text) > _LONGEST or sum(map(str.isalpha, text)) < 2:
                for index in run:
                    del levels[index]
        return levels


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
