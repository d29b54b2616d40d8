"""What stands around hits: the chunks beside them, and hits that touch made one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from documents.searching.ranking import Chunk
from documents.searching.search import Hit, Neighbour, marks
from documents.searching.synonyms import Sought
from documents.searching.tsquery import held
from models import database
from models.statement import Statement


@dataclass(frozen=True, slots=True)
class Run:
    """Chunks of a version that follow each other, from `first` to `last`; `hits` are those that were found."""

    version: UUID
    first: int
    last: int
    hits: list[Hit]


def widened(session: Session, hits: Sequence[Hit], sought: Sought, *, around: int, join: bool) -> list[Hit]:
    """Return the hits with `around` neighbours on each side, in the order that they have.

    Parameters:
      hits: of one chunk each.
      sought: what was looked for, for the highlights of hits that were joined.
      join: make one hit of those of a document between which no chunk lies that is not shown. It has the scores of the
        best; its text goes from the first chunk to the last, and page, headings and context are those of the first.
    """
    runs = _runs(hits, 2 * around + 1) if join else [_run_of([hit]) for hit in hits]
    passages = _passages(session, runs, around, sought.tokens)
    texts = _texts(session, [run for run in runs if run.first < run.last], passages)
    return [hit for run in runs for hit in _shown(run, passages, texts, around, sought)]


def _chunk_of(hit: Hit) -> Chunk:
    version, _, index = hit.chunk_id.partition(":")
    return UUID(version), int(index)


def _run_of(hits: list[Hit]) -> Run:
    places = [_chunk_of(hit) for hit in hits]
    indexes = [index for _, index in places]
    return Run(places[0][0], min(indexes), max(indexes), hits)


def _runs(hits: Sequence[Hit], reach: int) -> list[Run]:
    """Join hits of a version whose indexes are at most `reach` apart; the run of the best hit comes first."""
    of_version: defaultdict[UUID, list[Hit]] = defaultdict(list)
    for hit in hits:
        of_version[_chunk_of(hit)[0]].append(hit)
    rank = {hit.chunk_id: place for place, hit in enumerate(hits)}
    groups: list[list[Hit]] = []
    for version_hits in of_version.values():
        version_hits.sort(key=lambda hit: _chunk_of(hit)[1])
        for number, hit in enumerate(version_hits):
            if number and _chunk_of(hit)[1] - _chunk_of(version_hits[number - 1])[1] <= reach:
                groups[-1].append(hit)
            else:
                groups.append([hit])
    for group in groups:
        group.sort(key=lambda hit: rank[hit.chunk_id])
    return [_run_of(group) for group in sorted(groups, key=lambda group: rank[group[0].chunk_id])]


def _passages(session: Session, runs: Sequence[Run], around: int, tokens: Collection[str]) -> dict[Chunk, Passage]:
    """Return the chunks of runs and those beside them."""
    passages = database.rows(
        session,
        _PASSAGES,
        {
            "versions": [run.version for run in runs],
            "firsts": [run.first - around for run in runs],
            "lasts": [run.last + around for run in runs],
            "tokens": list(tokens),
        },
    )
    return {(passage.version_id, passage.number): passage for passage in passages}


def _texts(session: Session, runs: Iterable[Run], passages: Mapping[Chunk, Passage]) -> dict[Chunk, str]:
    """Return the texts of runs by their first chunk: parts of the document's own, since chunks may overlap."""
    places = [
        (
            run.version,
            run.first,
            passages[run.version, run.first].start_offset,
            passages[run.version, run.last].end_offset,
        )
        for run in runs
        if (run.version, run.first) in passages and (run.version, run.last) in passages
    ]
    if not places:
        return {}
    columns = map(list, zip(*places, strict=True))
    texts = database.rows(session, _TEXTS, dict(zip(("versions", "firsts", "starts", "stops"), columns, strict=True)))
    return {(row.id, row.first): row.text for row in texts}


def _shown(
    run: Run, passages: Mapping[Chunk, Passage], texts: Mapping[Chunk, str], around: int, sought: Sought
) -> list[Hit]:
    """Return a run as one hit. If its version was deleted meanwhile, return the hits of the run as they were."""
    own = _present(passages, run.version, range(run.first, run.last + 1))
    whole = texts.get((run.version, run.first)) if len(run.hits) > 1 else run.hits[0].text
    if whole is None or len(own) <= run.last - run.first:
        return run.hits
    best = run.hits[0]
    if len(run.hits) > 1:
        best = replace(
            best,
            chunk_ids=[f"{passage.version_id}:{passage.number}" for passage in own],
            text=whole,
            page=own[0].page,
            heading_path=own[0].heading_path,
            context=own[0].context,
            start=own[0].start_offset,
            end=own[-1].end_offset,
            highlights=marks(whole, sought.marked({token for passage in own for token in passage.matched})),
        )
    before = _present(passages, run.version, range(run.first - around, run.first))
    after = _present(passages, run.version, range(run.last + 1, run.last + 1 + around))
    return [replace(best, before=[*map(_neighbour, before)], after=[*map(_neighbour, after)])]


def _present(passages: Mapping[Chunk, Passage], version: UUID, indexes: Iterable[int]) -> list[Passage]:
    return [passage for index in indexes if (passage := passages.get((version, index))) is not None]


def _neighbour(passage: Passage) -> Neighbour:
    return Neighbour(
        chunk_id=f"{passage.version_id}:{passage.number}",
        text=passage.text,
        page=passage.page,
        heading_path=passage.heading_path,
        context=passage.context,
        start=passage.start_offset,
        end=passage.end_offset,
    )


class Passage(NamedTuple):
    """A chunk, with those of the sought tokens that it holds."""

    version_id: UUID
    number: int
    text: str
    page: int | None
    heading_path: list[str]
    context: str | None
    start_offset: int
    end_offset: int
    matched: list[str]


class Text(NamedTuple):
    """The text of a run, by its version and its first chunk."""

    id: UUID
    first: int
    text: str


_PASSAGES = Statement(
    f"""
    SELECT c.version_id, c.index AS number, c.text, c.page, c.heading_path, c.context, c.start_offset, c.end_offset,
           tsvector_to_array({held("c.tokens", ":tokens")}) AS matched
      FROM unnest(CAST(:versions AS uuid[]), CAST(:firsts AS integer[]), CAST(:lasts AS integer[]))
           AS q (version_id, first, last)
      JOIN chunks c ON c.version_id = q.version_id AND c.index BETWEEN q.first AND q.last
    """,
    Passage,
)

_TEXTS = Statement(
    """
    SELECT v.id, q.first, substr(v.text, q.start + 1, q.stop - q.start) AS text
      FROM unnest(CAST(:versions AS uuid[]), CAST(:firsts AS integer[]), CAST(:starts AS integer[]),
                  CAST(:stops AS integer[])) AS q (version_id, first, start, stop)
      JOIN versions v ON v.id = q.version_id
    """,
    Text,
)
