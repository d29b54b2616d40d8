"""Text cut into chunks that end where a reader would pause: at headings, paragraphs and sentences."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from documents.splitting.measure import Characters, Measure
from documents.splitting.previous_version import Known, PreviousVersion
from documents.splitting.sentences import Boundary, Unit, cut, units_of
from documents.text import Anchor

#: A section's end is taken as a chunk's end once the chunk is so full; shorter sections go with the next.
_SECTION_FILL = 1 / 3
#: A paragraph's end, or a line's, is preferred to a later sentence's end once the chunk is so full.
_FILL = {Boundary.PARAGRAPH: 1 / 2, Boundary.LINE: 3 / 4, Boundary.SENTENCE: 0.0, Boundary.CUT: 0.0}
#: What remains of a chunk after its heading must hold at least this share, or the heading goes alone.
_ROOM_AFTER_HEADING = 1 / 4
#: Chunks before the next known one, of which there are as few as can be; among more, one more does not matter.
_FEW = 3
#: Under its first headings stands at least this share of a chunk, or those are named under which most of it stands.
_SHARE_OF_FIRST = 0.3
#: What is embedded before a chunk's text counts as its tokens if it is less than this share of its size.
_LEAD = 1 / 2


@dataclass(slots=True)
class Chunk:
    """A piece of a text: `text[start:end]`, counted in characters.

    heading_path is that of the first text in the chunk that is no heading, or of most of it where that is next to
    nothing; page is where the chunk begins. context is what is repeated because the chunk begins in
    the middle of it: the header of its table, the fence of its code.
    """

    index: int
    start: int
    end: int
    page: int | None
    heading_path: list[str]
    context: str = ""


def lead(heading_path: Sequence[str], context: str) -> str:
    """Return what is embedded before a chunk's text: where it stands, and what it needs to be understood."""
    return "\n".join(filter(None, (" > ".join(heading_path), context)))


def split(
    text: str,
    anchors: Sequence[Anchor],
    size: int,
    overlap: int,
    earlier: PreviousVersion | None = None,
    measure: Measure | None = None,
) -> list[Chunk]:
    """Cut a text into chunks of at most `size` that together hold all that is not white space.

    A chunk repeats at most `overlap` of the one before, in whole sentences of the same section.
    A heading stays with what follows it. Nothing is cut that fits: a longer sentence is cut at a clause or
    a word, a longer word between characters.

    Parameters:
      earlier: of the same document, cut with the same size and overlap; the text is cut where that was, as far as it
        is the same. At most 3 chunks are others after an edit of one paragraph that is no longer than the size less
        three sentences.
      measure: what size and overlap count; characters unless told otherwise. Where they are tokens, the `lead` of a
        chunk counts as well, unless it takes half of the size.

    Raises:
      ValueError: size is less than 1, or overlap is not below size.
    """
    if size < 1 or not 0 <= overlap < size:
        raise ValueError(f"the overlap must be at least 0 and less than the size, not {overlap} of {size}")
    measure = measure or Characters()
    room = max(1, size - measure.reserved)
    while True:
        splitter = _Splitter(text, anchors, room, min(overlap, room - 1), measure)
        chunks = splitter.chunks(earlier)
        if not measure.approximate or room == 1:
            return chunks
        # A tokenizer may cut a piece otherwise than it cut the whole text.
        longest = max((measure.of(splitter.embedded(chunk)) for chunk in chunks), default=0)
        if longest + measure.reserved <= size:
            return chunks
        room = max(1, room - (longest + measure.reserved - size))


class _Splitter:
    """One text, cut with one size."""

    def __init__(self, text: str, anchors: Sequence[Anchor], size: int, overlap: int, measure: Measure) -> None:
        self._text = text
        self._size = size
        self._overlap = overlap
        self._measure = measure
        self._places = _Places(anchors)
        self._leads: dict[tuple[tuple[str, ...], str], int] = {}
        self._units = self._fitted(units_of(text, anchors))

    def chunks(self, earlier: PreviousVersion | None) -> list[Chunk]:
        units = self._units
        known = Known(earlier, self._text, units) if earlier is not None else None
        chunks: list[Chunk] = []
        first = 0
        while first < len(units):
            start = self._overlapping(first)
            if known is None:
                after = self._end_of_chunk(start, first)
            elif (kept := self._kept(known, first)) is not None:
                start, after = kept
            else:
                after = self._end_of_edited(known, start, first)
            while start < first and self._held(start, after) > self._size:
                start += 1  # repeats less, so that it can end where it did
            chunks.append(
                Chunk(
                    index=len(chunks),
                    start=units[start].start,
                    end=units[after - 1].end,
                    page=self._places.page(units[start].start),
                    heading_path=self._places.path(self._most(start, after).start),
                    context=self._context(units[start]),
                )
            )
            first = after
        return chunks

    def embedded(self, chunk: Chunk) -> str:
        """Return what counts as a chunk's tokens."""
        before, body = lead(chunk.heading_path, chunk.context), self._text[chunk.start : chunk.end]
        return f"{before}\n{body}" if 0 < self._measure.of(before) < self._size * _LEAD else body

    def _fitted(self, units: list[Unit]) -> list[Unit]:
        """Cut up units that are too long, alone or together with the headings that they follow."""
        fitted: list[Unit] = []
        heading: int | None = None  # where the headings began that a unit follows
        for unit in units:
            size = room = self._size - self._lead_size(unit, unit)
            if heading is not None and unit.level is None:
                left = size - self._measure.size(heading, unit.start)
                room = left if left >= size * _ROOM_AFTER_HEADING else size
            if self._measure.size(unit.start, unit.end) <= room:
                fitted.append(unit)
            else:
                before, whole = unit.before, False
                for start, end in cut(self._text, unit.start, unit.end, room, size, self._measure):
                    fitted.append(Unit(start, end, before, unit.level, whole, unit.repeats))
                    before = Boundary.CUT
            if unit.level is None:
                heading = None
            elif heading is None:
                heading = unit.start
        return fitted

    def _overlapping(self, first: int) -> int:
        """Return where a chunk begins whose first new unit is `first`: some whole sentences earlier, if they fit."""
        units, start = self._units, first
        while start > 0:
            unit = units[start - 1]
            if unit.level is not None or not unit.whole or units[first].level is not None:
                break
            if self._measure.size(unit.start, units[first - 1].end) > self._overlap:
                break
            if self._held(start - 1, first + 1) > self._size:
                break
            start -= 1
        return start

    def _kept(self, known: Known, first: int) -> tuple[int, int] | None:
        """Return the units of the known chunk that is new from `first` on, if it would be allowed here; else None."""
        chunk = known.chunk(first)
        if chunk is None:
            return None
        start, after = chunk
        if not self._overlapping(first) <= start <= first or after > self._reach(first, first):
            return None
        if self._held(start, after) > self._size:
            return None
        ends_well = after == len(self._units) or self._may_end(after) or self._end_of_chunk(start, first) == after
        return chunk if ends_well else None

    def _end_of_edited(self, known: Known, start: int, first: int) -> int:
        """Return where to end a chunk of edited text, so that few new chunks follow before the next known one."""
        for begin in (start, first):  # better with what it is to repeat, else without
            if (after := self._rejoins(known, begin, first)) is not None:
                return after
        after = self._end_of_chunk(start, first)
        steps = self._steps(known, first)
        if steps > _FEW or self._steps(known, after) < steps:
            return after
        return self._farthest(first)

    def _steps(self, known: Known, first: int) -> int:
        """Count the new chunks between a unit and the next known chunk; beyond _FEW the answer is _FEW + 1."""
        ahead = self._measure.size(self._units[first].start, self._units[known.next(first) - 1].end)
        if ahead > self._size * _FEW:
            return _FEW + 1
        for step in range(1, _FEW + 1):
            if self._rejoins(known, first, first) is not None:
                return step
            first = self._farthest(first)
        return _FEW + 1

    def _rejoins(self, known: Known, start: int, first: int) -> int | None:
        """Return the last place that a chunk can reach before a known one or the end; None where there is none."""
        reach = self._reach(start, first)
        if reach == len(self._units):
            return reach
        places = reversed(known.places(first, reach))
        return next((place for place in places if self._may_end(place) and self._kept(known, place)), None)

    def _farthest(self, first: int) -> int:
        """Return the last unit before which a chunk may end that is new from `first` on."""
        reach = self._reach(first, first)
        return next((place for place in range(reach, first, -1) if self._may_end(place)), reach)

    def _reach(self, start: int, first: int) -> int:
        """Up to where a chunk can go that begins with `start` and is new from `first` on; in its section."""
        units, after = self._units, first + 1
        while after < len(units) and self._held(start, after + 1) <= self._size:
            if self._ends_section(first, after):
                break
            after += 1
        return after

    def _end_of_chunk(self, start: int, first: int) -> int:
        """Return the index after the last unit of a chunk that begins with unit `start` and is new from `first` on."""
        units, after = self._units, first + 1
        best: dict[Boundary, int] = {}
        while after < len(units):
            boundary = units[after].before
            if self._may_end(after):
                if self._ends_section(first, after):
                    return after
                if self._measure.size(units[first].start, units[after - 1].end) >= self._size * _FILL[boundary]:
                    best[boundary] = after
            if self._held(start, after + 1) > self._size:
                break
            after += 1
        if after == len(units):
            return after
        for boundary in (Boundary.PARAGRAPH, Boundary.LINE, Boundary.SENTENCE, Boundary.CUT):
            if boundary in best:
                return best[boundary]
        return next((place for place in range(after, first, -1) if self._may_end(place)), after)

    def _may_end(self, after: int) -> bool:
        """Return whether nothing at the end of a chunk belongs to what follows, such as a heading."""
        return self._units[after - 1].level is None and self._units[after].before is not Boundary.HELD

    def _ends_section(self, first: int, after: int) -> bool:
        """Return whether a section ends before a unit, and is long enough for a chunk of its own."""
        units = self._units
        if units[after].level is None or units[after - 1].level is not None:
            return False
        return self._measure.size(units[first].start, units[after - 1].end) >= self._size * _SECTION_FILL

    def _held(self, start: int, after: int) -> int:
        """Return the size of a chunk of these units; where tokens are counted, with the context embedded before it."""
        held = self._measure.size(self._units[start].start, self._units[after - 1].end)
        if isinstance(self._measure, Characters):
            return held
        return held + self._lead_size(self._units[start], self._body(start, after))

    def _body(self, start: int, after: int) -> Unit:
        """Return the first unit that is no heading, if there is any."""
        units = self._units
        return next((units[place] for place in range(start, after) if units[place].level is None), units[start])

    def _most(self, start: int, after: int) -> Unit:
        """Return the unit whose headings describe a chunk: the first that is no heading itself. Where almost none of
        the chunk stands under its headings, return the first unit below the headings under which most of it stands.
        """
        units, body = self._units, self._body(start, after)
        if self._places.heading(body.start) == self._places.heading(units[after - 1].start):
            return body
        lengths: dict[int, int] = {}
        first: dict[int, Unit] = {}
        for unit in units[start:after]:
            heading = self._places.heading(unit.start)
            if unit.level is None:
                # In bytes, of which a Chinese character has three: it says as much as three letters.
                length = len(self._text[unit.start : unit.end].encode(errors="replace"))
                lengths[heading] = lengths.get(heading, 0) + length
                first.setdefault(heading, unit)
        if not lengths or lengths[self._places.heading(body.start)] >= _SHARE_OF_FIRST * sum(lengths.values()):
            return body
        most = first[max(lengths, key=lengths.__getitem__)]
        # The size of the chunk was measured with the headings of its first text.
        return most if self._lead_size(units[start], most) <= self._lead_size(units[start], body) else body

    def _context(self, unit: Unit) -> str:
        if unit.repeats is None:
            return ""
        start, end = unit.repeats
        return self._text[start:end] if self._measure.size(start, end) < self._size * _LEAD else ""

    def _lead_size(self, start: Unit, body: Unit) -> int:
        if isinstance(self._measure, Characters):
            return 0
        parts = tuple(self._places.path(body.start)), self._context(start)
        if parts not in self._leads:
            before = lead(*parts)
            size = self._measure.of(before + "\n") if before else 0
            self._leads[parts] = size if size < self._size * _LEAD else 0
        return self._leads[parts]


class _Places:
    """Looks up the page and the headings of a place in the text."""

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        pages = sorted((anchor.start, anchor.page) for anchor in anchors if anchor.page and anchor.kind == "page")
        self._page_starts = [start for start, _ in pages]
        self._pages = [page for _, page in pages]
        self._heading_starts: list[int] = []
        self._paths: list[list[str]] = []
        above: list[tuple[int, str]] = []
        for anchor in sorted(anchors, key=lambda anchor: anchor.start):
            if anchor.kind == "heading" and anchor.title:
                level = anchor.level or 0
                above = [(other, title) for other, title in above if other < level] + [(level, anchor.title)]
                self._heading_starts.append(anchor.start)
                self._paths.append([title for _, title in above])

    def page(self, place: int) -> int | None:
        """Return the page that a place is on; None where pages are not known."""
        at = bisect_right(self._page_starts, place) - 1
        return self._pages[at] if at >= 0 else None

    def heading(self, place: int) -> int:
        """Return the number of the heading above a place; -1 above all."""
        return bisect_right(self._heading_starts, place) - 1

    def path(self, place: int) -> list[str]:
        at = self.heading(place)
        return list(self._paths[at]) if at >= 0 else []
