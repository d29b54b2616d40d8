"""Finding chunks by words (BM25), by vectors, or by both."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from documents.embedding import Embedder, Nearness
from documents.searching.highlights import highlights
from documents.searching.ranking import Chunk, Scores, fused
from documents.searching.scope import EVERYTHING, Filter, Scope, scope_of
from documents.searching.vector_search import by_vector, vectors_of
from documents.searching.word_search import by_words, weighed, words_of
from documents.splitting.tokens import is_covered, query_tokens
from errors import TaskError

Mode = Literal["hybrid", "vector", "text"]

#: How many chunks of each list are fused, at least.
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a text: offsets in characters, `end` exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What a hit's score is made of, each from 0 to 1; None in a mode that does not ask for it."""

    words: float | None
    vector: float | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found. `start` and `end` are offsets in its document's text.

    highlights: where the query's words stand in `text`, counted from the beginning of `text`.
    score: from 0 to 1, comparable between queries of a KB in the same mode.
    """

    document_id: str
    chunk_id: str
    text: str
    score: float
    scores: Parts
    page: int | None
    heading_path: list[str]
    context: str | None
    start: int
    end: int
    highlights: list[Place]


@dataclass(frozen=True, slots=True)
class Question:
    """A query, made ready without a database: its tokens, and its vector where there is an embedder."""

    tokens: list[str]
    vector: array[float] | None = None
    embedder: str | None = None
    nearness: Nearness | None = None


def ask(query: str, embedder: Embedder | None) -> Question:
    """Make a query ready. This may call the embedder's provider, so no transaction should be open.

    Raises:
      TaskError: what the embedder raises.
    """
    question = Question(query_tokens(query))
    if embedder is None:
        return question
    vector = embedder.embed([query], "query").vectors[0]
    return replace(question, vector=vector, embedder=embedder.name, nearness=embedder.nearness)


def search(
    session: Session,
    kb_id: str,
    question: Question,
    *,
    limit: int = 10,
    mode: Mode = "hybrid",
    filter: Filter = EVERYTHING,
    min_score: float = 0.0,
) -> list[Hit]:
    """The best chunks of a KB, best first. The session must be REPEATABLE READ, so that all statements agree.

    Parameters:
      min_score: hits with less are left out.

    Raises:
      ValueError: a vector is needed, and the question has none.
      TaskError: embedder_rejected, when the KB was indexed with another embedder than the question's.
    """
    scope = scope_of(session, kb_id, filter)
    if scope is None:
        return []
    if mode == "text":
        words = weighed(session, scope, question.tokens)
        found = {
            chunk: Scores(min(1.0, share), words=min(1.0, share))
            for chunk, share in by_words(session, scope, words, limit)
        }
    elif mode == "vector":
        vector, nearness = _vector(question, scope)
        found = {
            chunk: Scores(share, vector=share)
            for chunk, cosine in by_vector(session, scope, vector, limit)
            for share in [nearness.share(cosine)]
        }
    else:
        found = _by_both(session, scope, question, max(DEPTH, limit))
    kept = {chunk: scores for chunk, scores in list(found.items())[:limit] if _rounded(scores.total) >= min_score}
    return _hits(session, kept, question.tokens)


def _by_both(session: Session, scope: Scope, question: Question, depth: int) -> dict[Chunk, Scores]:
    """The best chunks by words and by vectors; what one list says of the other's chunks is looked up."""
    vector, nearness = _vector(question, scope)
    words = weighed(session, scope, question.tokens)
    shares = dict(by_words(session, scope, words, depth))
    cosines = dict(by_vector(session, scope, vector, depth))
    shares |= words_of(session, scope, words, cosines.keys() - shares.keys())
    cosines |= vectors_of(session, vector, shares.keys() - cosines.keys())
    near = {chunk: nearness.share(cosine) for chunk, cosine in cosines.items()}
    return fused(shares, near, nearness.weight)


def _vector(question: Question, scope: Scope) -> tuple[array[float], Nearness]:
    if question.vector is None or question.nearness is None:
        raise ValueError("a question without a vector can be searched in mode `text` only")
    if question.embedder != scope.embedder:
        raise TaskError("embedder_rejected", f"the KB is indexed with {scope.embedder}, not with {question.embedder}")
    return question.vector, question.nearness


def embedder_of(session: Session, kb_id: str) -> str | None:
    """The `name` of the embedder that a KB is indexed with; None while it is empty."""
    found = session.execute(
        text("SELECT embedder FROM documents WHERE kb_id = :kb_id LIMIT 1"), {"kb_id": kb_id}
    ).one_or_none()
    return found.embedder if found is not None else None


def _hits(session: Session, ranked: Mapping[Chunk, Scores], tokens: Sequence[str]) -> list[Hit]:
    """What is shown of chunks, in their order."""
    rows = session.execute(
        text("""
            SELECT c.version_id, c.index AS number, d.document_id, c.text, c.page, c.heading_path, c.context,
                   c.start_offset, c.end_offset,
                   ARRAY(SELECT lexeme FROM unnest(c.tokens) WHERE lexeme = ANY(:tokens)) AS matched
              FROM unnest(CAST(:versions AS uuid[]), CAST(:indexes AS integer[])) AS q (version_id, index)
              JOIN chunks c ON c.version_id = q.version_id AND c.index = q.index
              JOIN documents d ON d.version_id = c.version_id
        """),
        {
            "versions": [version for version, _ in ranked],
            "indexes": [index for _, index in ranked],
            "tokens": list(tokens),
        },
    )
    found = {(row.version_id, row.number): row for row in rows}
    return [_hit(row, scores) for chunk, scores in ranked.items() if (row := found.get(chunk)) is not None]


def _hit(row: Row[Any], scores: Scores) -> Hit:
    # Of 大学 and 学 the longer is marked: the shorter would be seen in every 学.
    marked = [token for token in row.matched if not is_covered(token, row.matched)]
    return Hit(
        document_id=row.document_id,
        chunk_id=f"{row.version_id}:{row.number}",
        text=row.text,
        score=_rounded(scores.total),
        scores=Parts(*(None if each is None else _rounded(each) for each in (scores.words, scores.vector))),
        page=row.page,
        heading_path=row.heading_path,
        context=row.context,
        start=row.start_offset,
        end=row.end_offset,
        highlights=[Place(start, end) for start, end in highlights(row.text, marked)],
    )


def _rounded(score: float) -> float:
    """A score as it is shown, and compared with `min_score`."""
    return round(score, 6)
