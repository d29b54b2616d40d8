"""What is known of documents: their versions, the drafts of a version being built, and the chunks that are searched."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, HalfVector, Json


class Document(Base):
    """A document as it is searchable now: a name that points at one version. Swapping the pointer publishes."""

    __tablename__ = "documents"

    kb_id: Mapped[str] = mapped_column(Text, primary_key=True)
    document_id: Mapped[str] = mapped_column(Text, primary_key=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"), unique=True)
    embedder: Mapped[str] = mapped_column(Text)
    """Of all documents of a KB the same; as in `Version.embedder`."""
    chunks: Mapped[int] = mapped_column(Integer)
    tokens: Mapped[int] = mapped_column(Integer)
    """The sum of its chunks' `token_count`: with `chunks`, what BM25 needs to know of a KB's average chunk."""
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    """`Version.size` of what it shows, so that a KB is added up without a look at each version; None where a release
    before wrote the row."""
    tokens_embedded: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Tokens that its present embedder has billed for it so far, over all versions that it has shown."""
    details: Mapped[Json] = mapped_column("metadata", JSONB, server_default="{}")
    """The `metadata` of the submission that it shows; a search can be filtered by it."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        Index(None, "metadata", postgresql_using="gin", postgresql_ops={"metadata": "jsonb_path_ops"}),
        Index("ix_documents_updated_at", "kb_id", "updated_at", "document_id"),
        Index("ix_documents_size", "kb_id", literal_column("coalesce(bytes, 0)"), "document_id"),
        # Finds what begins with a prefix, whatever the collation of the database.
        Index("ix_documents_prefix", "kb_id", "document_id", postgresql_ops={"document_id": "text_pattern_ops"}),
    )


class Deletion(Base):
    """When a document was last deleted: what was submitted before does not bring it back."""

    __tablename__ = "deletions"

    kb_id: Mapped[str] = mapped_column(Text, primary_key=True)
    document_id: Mapped[str] = mapped_column(Text, primary_key=True)
    deleted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Version(Base):
    """One reading of a document: its text and what the reader learned. A task makes exactly one."""

    __tablename__ = "versions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The id of the task that makes the version, so that a stage that runs twice writes the same one; but for a
    shadow version (`documents.storing.reindexing`)."""
    maker: Mapped[UUID | None]
    """The task that makes the version, where its id does not say so: a reindexing makes one for each document."""
    origin: Mapped[UUID | None]
    """The task whose submission it is, where its id does not say so. Of two origins the later one is shown."""
    kb_id: Mapped[str] = mapped_column(Text)
    document_id: Mapped[str] = mapped_column(Text)
    number: Mapped[int | None] = mapped_column(Integer)
    """1 for the first version of a document that became searchable; set by the swap."""
    filename: Mapped[str | None] = mapped_column(Text)
    format: Mapped[str] = mapped_column(Text)
    encoding: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column(Integer)
    """Bytes of the source."""
    characters: Mapped[int] = mapped_column(Integer)
    pages: Mapped[int | None] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)
    anchors: Mapped[list[Any]] = mapped_column(JSONB)
    """Pages, headings and tables with their offsets in `text`; see `documents.text.Anchor`."""
    properties: Mapped[Json] = mapped_column(JSONB, server_default="{}")
    parameters: Mapped[Json] = mapped_column(JSONB, server_default="{}")
    """How it was read and split, as submitted: the same bytes and parameters make the same version."""
    warnings: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    embedder: Mapped[str | None] = mapped_column(Text)
    """Provider, model and dimension of the vectors, as in `local:hashed-ngrams:1024`; set before the first of them."""
    chunks: Mapped[int | None] = mapped_column(Integer)
    tokens_embedded: Mapped[int] = mapped_column(Integer, server_default="0")
    """Tokens that the embedder billed for this version so far."""
    chunks_reused: Mapped[int] = mapped_column(Integer, server_default="0")
    """Those that have the vector of an equal chunk of the KB."""
    chunks_refused: Mapped[int] = mapped_column(Integer, server_default="0")
    """Those that the embedder would not have: they have the zero vector, and are found by their words only."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    original: Mapped[UUID | None]
    """The task under whose id its source is kept as it came; None: it is not."""
    content_type: Mapped[str | None] = mapped_column(Text)
    """Of the source, as it was said; known of what is kept."""

    __table_args__ = (
        Index(None, "kb_id", "document_id"),
        UniqueConstraint("maker", "origin"),
        Index("ix_versions_original", "original", postgresql_where=literal_column("original IS NOT NULL")),
    )


class Draft(Base):
    """A chunk of a version that is being built; not searchable."""

    __tablename__ = "drafts"

    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(Integer, primary_key=True)
    start_offset: Mapped[int] = mapped_column(Integer)
    end_offset: Mapped[int] = mapped_column(Integer)
    page: Mapped[int | None] = mapped_column(Integer)
    heading_path: Mapped[list[str]] = mapped_column(ARRAY(Text))
    context: Mapped[str | None] = mapped_column(Text)
    """The header of the table, or the fence of the code, in whose middle it begins; embedded with it."""
    text: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of the text that is embedded."""
    tokens: Mapped[str] = mapped_column(TSVECTOR)
    token_count: Mapped[int] = mapped_column(Integer)


class DraftVector(Base):
    """The vector of a draft, committed batch by batch: a stage that resumes embeds only what is missing."""

    __tablename__ = "draft_vectors"

    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(Integer, primary_key=True)
    embedding: Mapped[str] = mapped_column(HalfVector())


class Chunk(Base):
    """A searchable piece of a version. It counts only while a document points at its version."""

    __tablename__ = "chunks"

    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(Integer, primary_key=True)
    kb_id: Mapped[str] = mapped_column(Text)
    start_offset: Mapped[int] = mapped_column(Integer)
    end_offset: Mapped[int] = mapped_column(Integer)
    page: Mapped[int | None] = mapped_column(Integer)
    heading_path: Mapped[list[str]] = mapped_column(ARRAY(Text))
    context: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    embedder: Mapped[str] = mapped_column(Text)
    tokens: Mapped[str] = mapped_column(TSVECTOR)
    token_count: Mapped[int] = mapped_column(Integer)
    """The length that BM25 normalises by, in tokens."""
    embedding: Mapped[str] = mapped_column(HalfVector())

    __table_args__ = (
        Index(None, "kb_id"),
        # Finds the vector that an equal text of a KB has already.
        Index(None, "hash", postgresql_using="hash"),
        # The KB is part of the index, as an array since GIN has no operators for a text: the frequent words of one KB
        # cost another nothing.
        Index("ix_chunks_tokens", literal_column("(ARRAY[kb_id])"), "tokens", postgresql_using="gin"),
    )


class _Page:
    """A page of a file, where no shared folder or bucket is configured."""

    id: Mapped[UUID] = mapped_column(primary_key=True)
    page: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes of the whole file, and below their SHA-256; on its first page, once it was written to its end."""
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Blob(_Page, Base):
    """A page of an uploaded file, which is kept until it has been read."""

    __tablename__ = "blobs"


class Original(_Page, Base):
    """A page of a document as it came, which is kept for as long as a version holds it."""

    __tablename__ = "originals"


class Orphan(Base):
    """An original that no version holds: not yet, or not any more."""

    __tablename__ = "orphans"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Of the task that it came with."""
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    """When it may be deleted."""
