"""Writing documents to PostgreSQL, so that each becomes searchable whole and at one moment, or not at all.

A version is built beside the one that is searched: `write_version` (text) → `write_drafts` (chunks and their tokens)
→ `vectors` (batch by batch) → `store` (searchable rows that nothing points at) → `swap` (the pointer moves).
Every step may run twice. Each function is handed a session and leaves the commit to whoever opened it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, defer

from documents.splitting.chunking import lead
from documents.splitting.pieces import Piece
from documents.splitting.previous_version import PreviousVersion
from documents.storing import copying
from documents.text import Anchor, Extracted
from errors import TaskError
from models import Chunk, Document, Draft, Version, database
from models.base import Json
from models.statement import prepared

# Statements that every document needs are made once: to make them costs more than to run them.
_OWN = Version.id == bindparam("version_id")

#: What is known of a version once it was read.
_READ = (
    *("kb_id", "document_id", "filename", "size", "sha256", "parameters", "original", "content_type"),
    *("format", "encoding", "characters", "pages", "text", "anchors", "properties", "warnings"),
)
_LOCK = (
    select(Version.kb_id, Version.document_id, Version.embedder, Version.chunks, Version.number, Version.warnings)
    .where(_OWN)
    .with_for_update(key_share=True)
)
_FACTS = select(Version).where(_OWN).options(defer(Version.text), defer(Version.anchors))
_TEXT = select(Version.text, Version.anchors).where(_OWN)
_PREVIOUS_VERSION = (
    select(
        Version.text,
        Version.parameters,
        func.array_agg(Chunk.start_offset).label("starts"),
        func.array_agg(Chunk.end_offset).label("ends"),
    )
    .select_from(Document)
    .join(Version, Version.id == Document.version_id)
    .join(Chunk, Chunk.version_id == Version.id)
    .where(Document.kb_id == bindparam("kb_id"), Document.document_id == bindparam("document_id"))
    .group_by(Version.id)
)
_DELETE_DRAFTS = text("""
    WITH vectors AS (DELETE FROM draft_vectors WHERE version_id = :version_id)
    DELETE FROM drafts WHERE version_id = :version_id
""")
_FORGET_DRAFTS = text("""
    WITH vectors AS (DELETE FROM draft_vectors WHERE version_id = :version_id),
         gone AS (DELETE FROM drafts WHERE version_id = :version_id)
    UPDATE versions SET embedder = NULL WHERE id = :version_id
""")
_COUNT_DRAFTS = text("""
    SELECT (SELECT count(*) FROM drafts WHERE version_id = :version_id),
           (SELECT count(*) FROM draft_vectors WHERE version_id = :version_id)
""")
_OTHER_EMBEDDER = text("""
    SELECT embedder FROM (
        -- Any other one tells: all documents of a KB have the same.
        SELECT embedder FROM documents WHERE kb_id = :kb_id AND document_id <> :document_id LIMIT 1
    ) AS other WHERE embedder <> :embedder
""")
_NOTE_CHUNKS = text("""
    UPDATE versions SET chunks = (SELECT count(*) FROM chunks WHERE version_id = :version_id)
     WHERE id = :version_id RETURNING chunks
""")
_COUNT_CHUNKS = text("SELECT count(*), coalesce(sum(token_count), 0) FROM chunks WHERE version_id = :version_id")
_IS_OF_OTHER_EMBEDDER = text("""
    SELECT FROM versions v CROSS JOIN LATERAL (SELECT embedder FROM documents WHERE kb_id = v.kb_id LIMIT 1) AS kb
     WHERE v.id = :version_id AND kb.embedder IS DISTINCT FROM v.embedder
""")
LOCK_KB = prepared("SELECT pg_advisory_xact_lock(hashtextextended(:kb_id, 0))")
_SHOWN = text("""
    SELECT d.version_id, v.number, coalesce(v.origin, v.id) AS origin
      FROM documents d JOIN versions v ON v.id = d.version_id
     WHERE d.kb_id = :kb_id AND d.document_id = :document_id
""")
#: What of a document changes when it shows another version; `shown` is its row.
RESHOWN = """
    version_id = excluded.version_id, embedder = excluded.embedder, chunks = excluded.chunks, tokens = excluded.tokens,
    bytes = excluded.bytes, metadata = coalesce(CAST(:metadata AS jsonb), shown.metadata), updated_at = now(),
    tokens_embedded = excluded.tokens_embedded
        + CASE WHEN shown.embedder = excluded.embedder THEN shown.tokens_embedded ELSE 0 END
"""
_SHOW = text(f"""
    WITH numbered AS (UPDATE versions SET number = :number WHERE id = :version_id RETURNING *)
    INSERT INTO documents AS shown
        (kb_id, document_id, version_id, embedder, chunks, tokens, bytes, tokens_embedded, metadata)
    SELECT kb_id, document_id, id, embedder, :chunks, :tokens, size, tokens_embedded,
        coalesce(CAST(:metadata AS jsonb), '{{}}') FROM numbered
        ON CONFLICT (kb_id, document_id) DO UPDATE SET {RESHOWN}
""")


@dataclass(frozen=True, slots=True)
class Swapped:
    """What a swap did.

    superseded: versions that nothing points at any more.
    """

    number: int | None
    superseded: list[UUID]


def embedded_text(heading_path: Sequence[str], context: str | None, text: str) -> str:
    """Return what is embedded of a chunk: its headings, and its table's header, say what a passage is about."""
    return "\n".join(filter(None, (lead(heading_path, context or ""), text)))


def version(version_id: UUID, extracted: Extracted, **others: object) -> Version:
    """Return what a reader made of a document, as it is kept.

    Parameters:
      version_id: the id of the task.
      others: what else is known of it, by the names of `Version`.
    """
    return Version(
        id=version_id,
        format=extracted.format,
        encoding=extracted.encoding,
        characters=len(extracted.text),
        pages=extracted.pages,
        text=extracted.text,
        anchors=[anchor.record() for anchor in extracted.anchors],
        properties=extracted.properties,
        warnings=extracted.warnings,
        **others,
    )


def write_version(session: Session, version: Version) -> None:
    """Keep a version, in place of what an earlier attempt kept."""
    values = {name: getattr(version, name) for name in _READ}
    session.execute(
        insert(Version).values(id=version.id, **values).on_conflict_do_update(index_elements=["id"], set_=values)
    )


def shown_as(
    session: Session, kb_id: str, document_id: str, digest: bytes, parameters: Json, provider: str | None
) -> Version | None:
    """Return the version that a document shows, without its text, if it was made of these bytes in this way; else None.

    Parameters:
      digest: SHA-256 of the bytes; parameters: see `Version.parameters`.
      provider: of the vectors, as in `local`; None for whichever they are of.
    """
    version = session.scalar(
        select(Version)
        .join(Document, Document.version_id == Version.id)
        .where(Document.kb_id == kb_id, Document.document_id == document_id)
        # What was refused then may be embedded now.
        .where(Version.sha256 == digest, Version.parameters == parameters, Version.chunks_refused == 0)
        .options(defer(Version.text), defer(Version.anchors))
    )
    made_with = (version.embedder or "").partition(":")[0] if version is not None else None
    return version if provider in (None, made_with) else None


def describe(session: Session, kb_id: str, document_id: str, details: Mapping[str, object] | None) -> None:
    """Give a document the `metadata` of its last submission if that said any, and leave its version as it is."""
    if details is None:
        return
    session.execute(
        update(Document).where(Document.kb_id == kb_id, Document.document_id == document_id).values(details=details)
    )


def facts(session: Session, version_id: UUID) -> Version:
    """Return a version without its text, as a row that is not loaded further.

    Raises:
      TaskError: internal, when there is no such version.
    """
    row = session.scalar(_FACTS, {"version_id": version_id})
    if row is None:
        raise _gone(version_id)
    return row


def digest(session: Session, version_id: UUID) -> bytes | None:
    """Return the SHA-256 of the file that a version was made of; None where there is none yet."""
    return session.scalar(select(Version.sha256).where(Version.id == version_id))


def read_text(session: Session, version_id: UUID) -> tuple[str, list[Anchor]]:
    """Return the text of a version and its anchors.

    Raises:
      TaskError: internal, when there is no such version.
    """
    row = session.execute(_TEXT, {"version_id": version_id}).one_or_none()
    if row is None:
        raise _gone(version_id)
    return row.text, [Anchor(**record) for record in row.anchors]


def previous_version(session: Session, kb_id: str, document_id: str, parameters: Json) -> PreviousVersion | None:
    """Return what a document shows now, and where it is cut; None if nothing, or if cut by other parameters."""
    shown = session.execute(_PREVIOUS_VERSION, {"kb_id": kb_id, "document_id": document_id}).one_or_none()
    if shown is None or _of_chunks(shown.parameters) != _of_chunks(parameters):
        return None
    return PreviousVersion(shown.text, sorted(zip(shown.starts, shown.ends, strict=True)))


def _of_chunks(parameters: Json) -> Json:
    return {name: value for name, value in parameters.items() if name.startswith("chunk_")}


def write_drafts(session: Session, version_id: UUID, text: str, pieces: Iterable[Piece]) -> int:
    """Keep the chunks of a version, in place of what an earlier attempt kept; returns how many."""
    lock(session, version_id)
    # Whatever was embedded of earlier drafts is gone: see `documents.storing.vectors.begin`.
    session.execute(_FORGET_DRAFTS, {"version_id": version_id})
    count = 0

    def rows() -> Iterable[Sequence[bytes | None]]:
        nonlocal count
        for piece in pieces:
            count += 1
            yield encoded(version_id, text, piece)

    copying.copy(session, Draft.__tablename__, ENCODED, rows())
    return count


#: The columns that a chunk shares with its draft.
ENCODED = (
    *("version_id", "index", "start_offset", "end_offset", "page", "heading_path", "context", "text", "hash"),
    *("tokens", "token_count"),
)


def encoded(version_id: UUID, text: str, piece: Piece) -> list[bytes | None]:
    """Return the values of ENCODED for a piece of a text."""
    body = text[piece.start : piece.end]
    tokens = _searched(piece)
    return [
        copying.uuid(version_id),
        copying.integer(piece.index),
        copying.integer(piece.start),
        copying.integer(piece.end),
        None if piece.page is None else copying.integer(piece.page),
        copying.texts(piece.heading_path),
        copying.text(piece.context) if piece.context else None,
        copying.text(body),
        sha256(embedded_text(piece.heading_path, piece.context, body).encode()).digest(),
        copying.ts_vector(tokens),
        copying.integer(len(tokens)),
    ]


def _searched(piece: Piece) -> list[str]:
    """Return a chunk's tokens, and those that it lacks of what is above it, once."""
    present = set(piece.tokens)
    return piece.tokens + [token for token in dict.fromkeys(piece.lead_tokens) if token not in present]


def delete_drafts(session: Session, version_id: UUID) -> None:
    """Delete the drafts of a version and their vectors, which have become chunks."""
    session.execute(_DELETE_DRAFTS, {"version_id": version_id})


def count_drafts(session: Session, version_id: UUID) -> tuple[int, int]:
    """Return how many chunks a version in the making has, and how many of these have their vector."""
    total, done = session.execute(_COUNT_DRAFTS, {"version_id": version_id}).one()
    return total, done


def require_embedder(session: Session, kb_id: str, document_id: str, embedder: str) -> None:
    """Make sure that a document may join a KB with vectors of this embedder.

    Raises:
      TaskError: embedder_rejected, when other documents of the KB have vectors of another.
    """
    other = session.scalar(_OTHER_EMBEDDER, {"kb_id": kb_id, "document_id": document_id, "embedder": embedder})
    if other is not None:
        raise TaskError(
            "embedder_rejected",
            f"the KB is indexed with {other}, so {embedder} cannot be mixed in: vectors of two embedders are not"
            " comparable. Name the KB's embedder in the payload, or use a new KB",
        )


_STORE = text("""
    INSERT INTO chunks (version_id, index, kb_id, start_offset, end_offset, page, heading_path, context, text, hash,
                        embedder, tokens, token_count, embedding)
    SELECT d.version_id, d.index, :kb_id, d.start_offset, d.end_offset, d.page, d.heading_path, d.context, d.text,
           d.hash, :embedder, d.tokens, d.token_count, v.embedding
      FROM drafts d JOIN draft_vectors v ON v.version_id = d.version_id AND v.index = d.index
     WHERE d.version_id = :version_id
     ORDER BY d.index
        ON CONFLICT (version_id, index) DO NOTHING
""")


def store(session: Session, version_id: UUID, *, joining: bool = True) -> int:
    """Turn drafts and vectors into chunks; nothing points at them yet. Returns how many the version has.

    Parameters:
      joining: whether the version is to join its KB as that is; False when it is part of what the KB will be.

    Raises:
      TaskError: embedder_rejected, see `require_embedder`; internal, when a draft has no vector; empty, when the
        version has no chunk at all.
    """
    version = lock(session, version_id)
    total, done = count_drafts(session, version_id)
    if total != done or version.embedder is None:
        raise TaskError("internal", f"{total - done} of {total} chunks have no vector", resume_at="embedding")
    if joining:
        require_embedder(session, version.kb_id, version.document_id, version.embedder)
    session.execute(_STORE, {"version_id": version_id, "kb_id": version.kb_id, "embedder": version.embedder})
    # Counted, not taken from the drafts: they are gone when this runs again after the swap.
    count: int = session.execute(_NOTE_CHUNKS, {"version_id": version_id}).scalar_one()
    if not count:
        raise TaskError("empty", "the document has no chunks")
    return count


def is_of_other_embedder(session: Session, version_id: UUID) -> bool:
    """Return whether a version's KB is indexed with another embedder than it was made with."""
    return session.execute(_IS_OF_OTHER_EMBEDDER, {"version_id": version_id}).first() is not None


def unstore(session: Session, version_id: UUID) -> None:
    """Take back what `store` did, so that a version can be embedded anew; one that is shown is left alone."""
    lock(session, version_id)
    shown = select(Document).where(Document.version_id == version_id).exists()
    session.execute(delete(Chunk).where(Chunk.version_id == version_id, ~shown))


def lock_kb(session: Session, kb_id: str) -> None:
    """Keep others from changing what documents of a KB show, until this transaction ends."""
    database.rows(session, LOCK_KB, {"kb_id": kb_id})


def swap(session: Session, version_id: UUID, details: Mapping[str, object] | None = None) -> Swapped:
    """Let a document show this version: the one moment at which it becomes searchable.

    Parameters:
      details: the submission's `metadata`, by which a search can be filtered; None leaves what the document has.

    The later request wins, in whatever order tasks end: ids of versions are those of tasks, and sort by time.

    Raises:
      TaskError: internal, when chunks are missing; embedder_rejected, see `require_embedder`; superseded, when the
        document shows what a later task made of it.
    """
    version = lock(session, version_id)
    count, tokens = session.execute(_COUNT_CHUNKS, {"version_id": version_id}).one()
    if not count or count != version.chunks or version.embedder is None:
        message = f"{count} of {version.chunks} chunks of the version are stored"
        raise TaskError("internal", message, resume_at="storing")
    delete_drafts(session, version_id)
    # Two embedders that come into an empty KB at once: the second must see the first. Held until the commit only.
    lock_kb(session, version.kb_id)
    shown = session.execute(_SHOWN, {"kb_id": version.kb_id, "document_id": version.document_id}).one_or_none()
    if shown is not None and shown.origin == version_id:
        return Swapped(version.number, [])
    if shown is not None and shown.origin > version_id:
        raise TaskError("superseded", "a later submission of this document is searchable already")
    require_embedder(session, version.kb_id, version.document_id, version.embedder)
    number = (shown.number or 0) + 1 if shown is not None else 1
    facts = {"version_id": version_id, "number": number, "chunks": count, "tokens": tokens}
    session.execute(_SHOW, facts | {"metadata": None if details is None else json.dumps(details)})
    return Swapped(number, [shown.version_id] if shown is not None else [])


def lock(session: Session, version_id: UUID) -> Row[str, str, str | None, int | None, int | None, list[Any]]:
    """Keep other attempts at the same version away until this transaction ends.

    Raises:
      TaskError: internal, when there is no such version.
    """
    row = session.execute(_LOCK, {"version_id": version_id}).one_or_none()
    if row is None:
        raise _gone(version_id)
    return row


def _gone(version_id: UUID) -> TaskError:
    return TaskError("internal", f"the version {version_id} is gone", resume_at="preprocessing")
