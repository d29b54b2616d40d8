"""Which documents of a KB are meant, in searches and in what is done to many at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

IN_KB = "d.kb_id = :kb_id"


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that a document must meet, all of them; None and an empty mapping restrict nothing.

    documents: ids.
    prefix: with which its id begins.
    metadata: what its submission said in `metadata`: a value that is equal or, in a list there, among others. A list
        here means any of its values.
    format: as the document shows it.
    updated_after, updated_until: when it was last brought in, or its metadata changed.
    """

    documents: Sequence[str] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    prefix: str | None = None
    format: str | None = None
    updated_after: datetime | None = None
    updated_until: datetime | None = None

    def among(self, documents: Sequence[str] | None) -> Self:
        """Return the filter for some documents alone; None: for all."""
        if documents is None:
            return self
        named = documents if self.documents is None else sorted({*documents} & {*self.documents})
        return replace(self, documents=named)

    def condition(self) -> tuple[str, dict[str, object]]:
        """Return the filter as SQL on `documents d` of the KB `:kb_id`, with its other parameters."""
        conditions = [IN_KB]
        parameters: dict[str, object] = {}
        if self.documents is not None:
            conditions.append("d.document_id = ANY(:document_ids)")
            parameters["document_ids"] = list(self.documents)
        if self.prefix is not None:
            conditions.append("d.document_id LIKE :prefix")
            parameters["prefix"] = beginning(self.prefix)
        if self.format is not None:
            conditions.append("EXISTS (SELECT FROM versions AS v WHERE v.id = d.version_id AND v.format = :format)")
            parameters["format"] = self.format
        if self.updated_after is not None:
            conditions.append("d.updated_at > :updated_after")
            parameters["updated_after"] = self.updated_after
        if self.updated_until is not None:
            conditions.append("d.updated_at <= :updated_until")
            parameters["updated_until"] = self.updated_until
        for number, (name, wanted) in enumerate(self.metadata.items()):
            values = wanted if isinstance(wanted, list) else [wanted]
            # Containment is what the index on `metadata` answers.
            forms = [json.dumps({name: form}) for value in values for form in (value, [value])]
            named = {f"metadata_{number}_{place}": form for place, form in enumerate(forms)}
            conditions.append(
                f"({' OR '.join(f'd.metadata @> CAST(:{parameter} AS jsonb)' for parameter in named) or 'false'})"
            )
            parameters |= named
        return " AND ".join(conditions), parameters


def beginning(prefix: str) -> str:
    """Return a prefix as a pattern of LIKE, which an index answers; it knows nothing of `starts_with`."""
    return re.sub(r"([\\%_])", r"\\\1", prefix) + "%"


def shown(session: Session, kb_id: str, filter: Filter, *, limit: int, after: str = "") -> dict[str, UUID]:
    """Return the documents of a filter in the order of their ids, each with the task that brought in what it shows.

    Parameters:
      after: the id that the page before ended with.
    """
    condition, parameters = filter.condition()
    statement = f"""
        SELECT d.document_id, coalesce(shown.origin, shown.id) AS task_id
        FROM documents AS d JOIN versions AS shown ON shown.id = d.version_id
        WHERE {condition} AND d.document_id > :after ORDER BY d.document_id LIMIT :limit
    """
    rows = session.execute(text(statement), parameters | {"kb_id": kb_id, "after": after, "limit": limit})
    return {row.document_id: row.task_id for row in rows}


def count(session: Session, kb_id: str, filter: Filter, most: int) -> int:
    """Return how many documents a filter names, counted up to a bound."""
    condition, parameters = filter.condition()
    statement = f"SELECT count(*) FROM (SELECT FROM documents AS d WHERE {condition} LIMIT :most) AS chosen"
    number: int = session.execute(text(statement), parameters | {"kb_id": kb_id, "most": most}).scalar_one()
    return number
