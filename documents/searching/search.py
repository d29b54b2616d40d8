"""Finding chunks by words (BM25), by vectors, or by both."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from documents.embedding import Embedder, Nearness
from documents.searching.confidence import curve_of
from documents.searching.highlights import highlights
from documents.searching.ranking import Chunk, Ranked, Scores, best_first, contending, fused, settled
from documents.searching.scope import EVERYTHING, Scope, scope_of
from documents.searching.synonyms import Sought, meant
from documents.searching.tsquery import held
from documents.searching.vector_search import by_vector, vectors_of
from documents.searching.word_search import Words, by_words, weighed, words_of
from documents.splitting.tokens import is_covered, query_tokens
from documents.storing.filter import Filter
from errors import TaskError
from models import database
from models.statement import Statement

Mode = Literal["hybrid", "vector", "text"]

#: How many chunks of each list are fused, at least.
DEPTH = 100
#: Chunks whose scores tell how likely a KB answers.
TENTH = 10
#: How many chunks of a list are looked at, at most, where `per_document` leaves too few of less.
DEEPEST = 1600


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a text: offsets in characters, `end` exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What a hit's score is made of, each from 0 to 1; None where it was not asked for."""

    words: float | None
    vector: float | None
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A chunk that stands beside a hit. `start` and `end` are offsets in its document's text."""

    chunk_id: str
    text: str
    page: int | None
    heading_path: list[str]
    context: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found, or several that touch. `start` and `end` are offsets in its document's text.

    chunk_id: of several chunks the best one's; chunk_ids: all, in the order of the text.
    score: from 0 to 1, comparable between queries of a KB in the same mode.
    highlights: where the query's words stand in `text`, counted from the beginning of `text`.
    before, after: its neighbours, in the order of the text; see `documents.searching.neighbours`.
    """

    kb_id: str
    document_id: str
    chunk_id: str
    chunk_ids: list[str]
    text: str
    score: float
    scores: Parts
    page: int | None
    heading_path: list[str]
    context: str | None
    start: int
    end: int
    highlights: list[Place]
    before: list[Neighbour]
    after: list[Neighbour]


@dataclass(frozen=True, slots=True)
class Question:
    """A query, made ready without a database: its tokens, and its vector where there is an embedder."""

    tokens: list[str]
    vector: array[float] | None = None
    embedder: str | None = None
    nearness: Nearness | None = None
    text: str = ""


def ask(query: str, embedder: Embedder | None) -> Question:
    """Make a query ready. This may call the embedder's provider, so no transaction should be open.

    Raises:
      TaskError: what the embedder raises.
    """
    question = Question(query_tokens(query), text=query)
    if embedder is None:
        return question
    vector = embedder.embed([query], "query").vectors[0]
    return replace(question, vector=vector, embedder=embedder.name, nearness=embedder.nearness)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search finds.

    confidence: how likely the KBs answer the query at all, from 0 to 1; see `documents.searching.confidence`.
    sought: what was looked for, words that stand in for mistyped ones and synonyms included.
    """

    hits: list[Hit]
    confidence: float
    sought: Sought


@dataclass(frozen=True, slots=True)
class Asked:
    """What one KB is asked; `words` is None in mode `vector`."""

    scope: Scope
    question: Question
    words: Words | None

    @property
    def sought(self) -> Sought:
        """All that may be marked."""
        sought = self.words.sought if self.words is not None else Sought(frozenset())
        return replace(sought, own=sought.own | set(self.question.tokens))


def search(
    session: Session,
    questions: Mapping[str, Question],
    *,
    limit: int = 10,
    mode: Mode = "hybrid",
    filter: Filter = EVERYTHING,
    min_score: float = 0.0,
    per_document: int | None = None,
) -> Found:
    """Return the best chunks of KBs, best first. The session must be REPEATABLE READ, so that all statements agree.

    Parameters:
      questions: what each KB is asked, by its id: one query, with the vector of the KB's embedder.
      min_score: hits with less are left out.
      per_document: so many chunks of a document at most.

    Raises:
      ValueError: a vector is needed, and the question has none.
      TaskError: embedder_rejected, when a KB was indexed with another embedder than its question's.
    """
    asked = [
        Asked(scope, question, None if mode == "vector" else _words(session, scope, question))
        for kb_id, question in questions.items()
        if (scope := scope_of(session, kb_id, filter)) is not None
    ]
    sought = Sought.together([kb.sought for kb in asked])
    depth = max(TENTH if per_document is None else DEPTH, limit)
    while True:
        rankings = [_best(session, kb, mode, depth) for kb in asked]
        ranked = _merged(rankings)
        kept = _kept(ranked, limit, min_score, per_document)
        # Only `per_document` can leave out so many that it is worth while to look further.
        done = per_document is None or len(kept) == limit or depth >= DEEPEST
        if done or len(ranked) < depth or rounded(ranked[-1][1].total) < min_score:
            return Found(_hits(session, kept, sought), _confidence(asked, rankings, mode), sought)
        depth = min(4 * depth, DEEPEST)


def _words(session: Session, scope: Scope, question: Question) -> Words:
    return weighed(session, scope, question.tokens, meant(question.text, scope.synonyms) if scope.synonyms else ())


def _merged(rankings: Sequence[Mapping[Chunk, Scores]]) -> list[tuple[Chunk, Scores]]:
    """Return the chunks of all KBs, best first."""
    ranked = [pair for ranking in rankings for pair in ranking.items()]
    if len(rankings) > 1:
        ranked.sort(key=lambda pair: best_first((pair[0], pair[1].total)))
    return ranked


def _confidence(asked: Sequence[Asked], rankings: Sequence[Mapping[Chunk, Scores]], mode: Mode) -> float:
    """Return the confidence of the KB that is likeliest to answer."""
    confidences = (
        curve_of(mode, kb.question.nearness).at([scores.total for scores in islice(ranking.values(), TENTH)])
        for kb, ranking in zip(asked, rankings, strict=True)
    )
    return round(max(confidences, default=0.0), 3)


def _best(session: Session, asked: Asked, mode: Mode, depth: int) -> dict[Chunk, Scores]:
    if asked.words is None:
        vector, nearness = _vector(asked.question, asked.scope)
        near = _shares(nearness, by_vector(session, asked.scope, vector, depth))
        return {chunk: Scores(share, vector=share) for chunk, share in near.items()}
    if mode == "text":
        return {
            chunk: Scores(min(1.0, share), words=min(1.0, share))
            for chunk, share in by_words(session, asked.scope, asked.words, depth)
        }
    return _by_both(session, asked.scope, asked.question, asked.words, depth)


def _kept(
    ranked: Iterable[tuple[Chunk, Scores]], limit: int, min_score: float, per_document: int | None
) -> dict[Chunk, Scores]:
    """Return the first chunks that score enough, of each document no more than `per_document`."""
    kept: dict[Chunk, Scores] = {}
    # A document shows one version.
    of_version: Counter[UUID] = Counter()
    for chunk, scores in ranked:
        if len(kept) == limit or rounded(scores.total) < min_score:
            break
        of_version[chunk[0]] += 1
        if per_document is None or of_version[chunk[0]] <= per_document:
            kept[chunk] = scores
    return kept


def _by_both(session: Session, scope: Scope, question: Question, words: Words, depth: int) -> dict[Chunk, Scores]:
    """Return the best chunks by words and by vectors; what one list says of the other's chunks is looked up.

    Vectors that count little, as those of `local`, are as a rule looked up for what words found, and not searched.
    """
    vector, nearness = _vector(question, scope)
    shares = dict(by_words(session, scope, words, max(DEPTH, depth)))
    near: dict[Chunk, float] = {}
    if not settled(shares, nearness.weight, depth):
        near = _shares(nearness, by_vector(session, scope, vector, max(DEPTH, depth)))
        shares |= words_of(session, scope, words, near.keys() - shares.keys())
    near |= _shares(nearness, vectors_of(session, vector, contending(shares, near, nearness.weight, depth)))
    return dict(islice(fused(shares, near, nearness.weight).items(), depth))


def _shares(nearness: Nearness, ranked: Ranked) -> dict[Chunk, float]:
    return {chunk: nearness.share(cosine) for chunk, cosine in ranked}


def _vector(question: Question, scope: Scope) -> tuple[array[float], Nearness]:
    if question.vector is None or question.nearness is None:
        raise ValueError("a question without a vector can be searched in mode `text` only")
    if question.embedder != scope.embedder:
        raise TaskError("embedder_rejected", f"the KB is indexed with {scope.embedder}, not with {question.embedder}")
    return question.vector, question.nearness


def embedders_of(session: Session, kb_ids: Sequence[str]) -> dict[str, str]:
    """Return the `name` of the embedder that each KB is indexed with; those that are empty are left out."""
    rows = session.execute(
        text("""
            SELECT q.kb_id, found.embedder
              FROM unnest(CAST(:kb_ids AS text[])) AS q (kb_id),
                   LATERAL (SELECT embedder FROM documents d WHERE d.kb_id = q.kb_id LIMIT 1) AS found
        """),
        {"kb_ids": list(kb_ids)},
    )
    return {row.kb_id: row.embedder for row in rows}


def _hits(session: Session, ranked: Mapping[Chunk, Scores], sought: Sought) -> list[Hit]:
    """Return what is shown of chunks, in their order."""
    passages = database.rows(
        session,
        _PASSAGES,
        {
            "versions": [version for version, _ in ranked],
            "indexes": [index for _, index in ranked],
            "tokens": list(sought.tokens),
        },
    )
    by_chunk = {(passage.version_id, passage.number): passage for passage in passages}
    return [
        _hit(passage, scores, sought)
        for chunk, scores in ranked.items()
        if (passage := by_chunk.get(chunk)) is not None
    ]


def _hit(passage: Passage, scores: Scores, sought: Sought) -> Hit:
    chunk_id = f"{passage.version_id}:{passage.number}"
    return Hit(
        kb_id=passage.kb_id,
        document_id=passage.document_id,
        chunk_id=chunk_id,
        chunk_ids=[chunk_id],
        text=passage.text,
        score=rounded(scores.total),
        scores=Parts(*(None if score is None else rounded(score) for score in (scores.words, scores.vector))),
        page=passage.page,
        heading_path=passage.heading_path,
        context=passage.context,
        start=passage.start_offset,
        end=passage.end_offset,
        highlights=marks(passage.text, sought.marked(passage.matched)),
        before=[],
        after=[],
    )


def marks(text: str, matched: Collection[str]) -> list[Place]:
    """Return where the words of a query stand in a text: of 大学 and 学 the longer, or every 学 would be marked."""
    marked = [token for token in matched if not is_covered(token, matched)]
    return [Place(start, end) for start, end in highlights(text, marked)]


def rounded(score: float) -> float:
    """Round a score as it is shown, and compared with `min_score`."""
    return round(score, 6)


class Passage(NamedTuple):
    """A chunk and its place, with those of the sought tokens that it holds."""

    version_id: UUID
    number: int
    kb_id: str
    document_id: str
    text: str
    page: int | None
    heading_path: list[str]
    context: str | None
    start_offset: int
    end_offset: int
    matched: list[str]


_PASSAGES = Statement(
    f"""
    SELECT c.version_id, c.index AS number, d.kb_id, d.document_id, c.text, c.page, c.heading_path, c.context,
           c.start_offset, c.end_offset, tsvector_to_array({held("c.tokens", ":tokens")}) AS matched
      FROM unnest(CAST(:versions AS uuid[]), CAST(:indexes AS integer[])) AS q (version_id, index)
      JOIN chunks c ON c.version_id = q.version_id AND c.index = q.index
      JOIN documents d ON d.version_id = c.version_id
    """,
    Passage,
    is_prepared=True,
)
