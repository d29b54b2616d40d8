"""A document's version that is written and becomes searchable in one transaction, without drafts.

The longer way, which `documents.storing.index` describes, keeps what each stage makes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from documents.storing import copying
from documents.storing.index import ENCODED, LOCK_KB, RESHOWN
from documents.storing.kbs import EMBEDDER
from errors import TaskError
from models import Chunk, Version, database
from models.statement import OfId, prepared


class Opening(NamedTuple):
    """What is known of a document's place in its KB before it is read.

    Parameters:
      embedder: of the KB; None while it is empty, and none is set for it.
      replaces: the version that the document shows; None where there is none, and then also the following.
      number: of that version.
      origin: the task whose submission it is.
      characters: of its text.
    """

    embedder: str | None
    replaces: UUID | None
    number: int | None
    origin: UUID | None
    characters: int | None


def opening(kb_id: str, document_id: str) -> Opening:
    """Look at the place of a document in its KB."""
    (place,) = database.read(_OPENING, {"kb_id": kb_id, "document_id": document_id})
    return place


@dataclass(frozen=True, slots=True)
class Publication:
    """A document that is ready to be written.

    Parameters:
      version: with its embedder, its number, and how many chunks it has.
      replaces: the version that the document showed when it was read; None for a new document.
      chunks: packed for COPY, in the order of COLUMNS.
      tokens: of all chunks together.
    """

    version: Version
    replaces: UUID | None
    chunks: bytes
    tokens: int

    def write(self, opened: Connection) -> None:
        """Write version and chunks, which nothing points at yet."""
        values = {name: getattr(self.version, name) for name in _VALUES}
        database.execute(opened, _VERSION, values | {name: json.dumps(values[name]) for name in _JSON})
        copying.send(opened, Chunk.__tablename__, COLUMNS, self.chunks)

    def show(self, opened: Connection, submitted_at: datetime, metadata: Mapping[str, object] | None) -> None:
        """Let the document point at the version, so that it is found once the transaction is committed.

        Parameters:
          metadata: of the document; None leaves what it has.

        Raises:
          TaskError: superseded, when the document shows something else by now or was deleted after `submitted_at`, or
            its KB has another embedder.
        """
        # A deletion, or another embedder that comes into an empty KB at once, is seen then. Held until the commit.
        database.execute(opened, LOCK_KB, {"kb_id": self.version.kb_id})
        values = {
            "kb_id": self.version.kb_id,
            "document_id": self.version.document_id,
            "id": self.version.id,
            "embedder": self.version.embedder,
            "chunks": self.version.chunks,
            "tokens": self.tokens,
            "bytes": self.version.size,
            "replaces": self.replaces,
            "submitted_at": submitted_at,
            "metadata": None if metadata is None else json.dumps(metadata),
        }
        if not database.execute(opened, _SHOW, values):
            raise TaskError("superseded", "the KB has changed since this document was read")


#: What of a chunk is encoded, in this order.
COLUMNS = (*ENCODED, "kb_id", "embedder", "embedding")

_OPENING = prepared(
    f"""
    SELECT {EMBEDDER} AS embedder, shown.*
    FROM (VALUES (1)) AS always LEFT JOIN LATERAL (
        SELECT v.id AS replaces, v.number, coalesce(v.origin, v.id) AS origin, v.characters
        FROM documents AS d JOIN versions AS v ON v.id = d.version_id
        WHERE d.kb_id = :kb_id AND d.document_id = :document_id
    ) AS shown ON true
    """,
    Opening,
)

_JSON = ("anchors", "properties", "parameters", "warnings")
_VALUES = (
    *("id", "kb_id", "document_id", "filename", "format", "encoding", "sha256", "size", "characters", "pages", "text"),
    *_JSON,
    *("embedder", "chunks", "chunks_reused", "number", "original", "content_type"),
)

_VERSION = prepared(
    f"""
    INSERT INTO versions ({", ".join(_VALUES)})
    VALUES ({", ".join(f"CAST(:{name} AS jsonb)" if name in _JSON else f":{name}" for name in _VALUES)})
    """
)

_SHOW = prepared(
    f"""
    INSERT INTO documents AS shown (kb_id, document_id, version_id, embedder, chunks, tokens, bytes, metadata)
    SELECT CAST(:kb_id AS text), CAST(:document_id AS text), CAST(:id AS uuid), CAST(:embedder AS text),
        CAST(:chunks AS integer), CAST(:tokens AS integer), CAST(:bytes AS bigint),
        coalesce(CAST(:metadata AS jsonb), '{{}}')
    WHERE CAST(:replaces AS uuid) IS NOT DISTINCT FROM (
            SELECT version_id FROM documents WHERE kb_id = :kb_id AND document_id = :document_id)
        AND NOT EXISTS (
            SELECT FROM deletions
            -- Empty: the whole KB was deleted.
            WHERE kb_id = :kb_id AND document_id IN (:document_id, '')
                AND deleted_at > CAST(:submitted_at AS timestamptz))
        -- Any other document tells: all of a KB have the same.
        AND coalesce(
            (SELECT embedder FROM documents WHERE kb_id = :kb_id AND document_id <> :document_id LIMIT 1),
            :embedder) = :embedder
    ON CONFLICT (kb_id, document_id) DO UPDATE SET {RESHOWN}
    RETURNING version_id AS id
    """,
    OfId,
)
