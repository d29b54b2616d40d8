"""What a search is restricted to: a KB, and within it certain documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

IN_KB = "d.kb_id = :kb_id"


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that a hit's document must meet, all of them; None and an empty mapping restrict nothing.

    documents: ids.
    metadata: what its submission said in `metadata`: a value that is equal or, in a list there, among others. A list
        here means any of its values.
    """

    documents: Sequence[str] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Scope:
    """A KB, and the documents of it that a filter leaves.

    condition: SQL on `documents d`, with its parameters.
    filtered: whether there is a filter; chunks: how many its documents have, where all of the KB have kb_chunks.
    kb_tokens: the sum of `token_count` in the KB.
    embedder: what the KB is indexed with.
    """

    kb_id: str
    condition: str
    parameters: dict[str, Any]
    filtered: bool
    chunks: int
    kb_chunks: int
    kb_tokens: int
    embedder: str


def scope_of(session: Session, kb_id: str, filter: Filter) -> Scope | None:
    """Return the scope of a search; None when there is nothing in it."""
    kb = session.execute(
        text(
            "SELECT sum(chunks) AS chunks, sum(tokens) AS tokens, min(embedder) AS embedder"
            "  FROM documents WHERE kb_id = :kb_id"
        ),
        {"kb_id": kb_id},
    ).one()
    condition, parameters = _condition(filter)
    filtered = condition != IN_KB
    parameters["kb_id"] = kb_id
    chunks = kb.chunks
    if filtered:
        chunks = session.scalar(text(f"SELECT sum(chunks) FROM documents d WHERE {condition}"), parameters)
    return Scope(kb_id, condition, parameters, filtered, chunks, kb.chunks, kb.tokens, kb.embedder) if chunks else None


def _condition(filter: Filter) -> tuple[str, dict[str, Any]]:
    conditions = [IN_KB]
    parameters: dict[str, Any] = {}
    if filter.documents is not None:
        conditions.append("d.document_id = ANY(:document_ids)")
        parameters["document_ids"] = list(filter.documents)
    for number, (name, wanted) in enumerate(filter.metadata.items()):
        values = wanted if isinstance(wanted, list) else [wanted]
        # Containment is what the index on `metadata` answers.
        forms = [json.dumps({name: form}) for value in values for form in (value, [value])]
        named = {f"metadata_{number}_{each}": form for each, form in enumerate(forms)}
        conditions.append(f"({' OR '.join(f'd.metadata @> CAST(:{each} AS jsonb)' for each in named) or 'false'})")
        parameters |= named
    return " AND ".join(conditions), parameters
