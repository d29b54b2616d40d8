"""Turning a document into searchable chunks."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    RootModel,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from addresses import without_credentials
from models.base import Json
from pipeline import LABELS
from sentences import say
from settings import Provider
from tasks.input import source_headers
from tasks.types import Stage, TaskType

#: Where a document is.
SOURCES = ("file_path", "url", "content", "upload_id")
#: Characters of a document's id, and bytes: with its KB's it must fit into an entry of an index (2,704 bytes).
LONGEST_ID, MOST_BYTES = 512, 1500


def _fits_an_index(document_id: str) -> str:
    if len(document_id.encode(errors="replace")) > MOST_BYTES:
        raise ValueError(say("long_id", most=MOST_BYTES))
    return document_id


DocumentId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID), AfterValidator(_fits_an_index)]


class Reading(BaseModel):
    """What a document is called, and how it is to be read and split."""

    model_config = ConfigDict(extra="forbid")

    filename: str | None = Field(None, min_length=1, max_length=512)
    content_type: str | None = Field(None, max_length=255)
    encoding: str | None = Field(None, max_length=64, description="Of a text; found out when not given.")
    chunk_size: int = Field(1000, ge=50, le=20_000, description="The most that a chunk holds, in `chunk_unit`.")
    chunk_overlap: int = Field(
        200,
        ge=0,
        description="What neighbours may share, in `chunk_unit`; default for small chunks: a fifth of them.",
    )
    chunk_unit: Literal["characters", "tokens"] = Field(
        "characters", description="`tokens` are the embedder's, and count what is embedded with a chunk, too."
    )
    embedder: Provider | None = Field(None, description="Default: that of the KB, else EMBEDDER.")

    @field_validator("chunk_overlap")
    @classmethod
    def _is_smaller_than_a_chunk(cls, overlap: int, fields: ValidationInfo) -> int:
        if overlap >= fields.data.get("chunk_size", overlap + 1):
            raise ValueError(say("chunk_overlap"))
        return overlap

    @model_validator(mode="after")
    def _default_fits_small_chunks(self) -> Self:
        if "chunk_overlap" not in self.model_fields_set:
            self.chunk_overlap = min(self.chunk_overlap, self.chunk_size // 5)
        return self


#: How a document is split where neither its submission nor its KB says it: values that mean something together only.
CHUNKING = Reading().model_dump(include={"chunk_size", "chunk_overlap", "chunk_unit"})


class DocumentProcessing(Reading):
    """Where the document is, and how it is to be read and split. Exactly one source is named."""

    file_path: str | None = Field(None, min_length=1, description="A file below one of UPLOAD_ROOTS.")
    url: Annotated[str | None, AfterValidator(without_credentials)] = Field(
        None,
        min_length=1,
        max_length=8192,
        description="An http(s) address without user name and password, or one below one of SOURCE_ROOTS, such as"
        " `s3://bucket/a.pdf`.",
    )
    headers: Annotated[dict[str, str] | None, BeforeValidator(source_headers.checked)] = Field(
        None,
        description="What `url` is fetched with, such as `Authorization`: at most 20, of 8,192 characters together. "
        "A secret: from then on only the names are shown, as `header_names`.",
        json_schema_extra={"writeOnly": True},
    )
    content: str | None = Field(None, description="The text itself.")
    upload_id: str | None = Field(
        None, description="Set by an upload; not for clients.", exclude_if=lambda v: v is None
    )
    document_id: DocumentId | None = Field(None, description="Default: derived from the source.")
    force: bool = Field(False, description="Process it even if it is unchanged: the same bytes, read the same way.")

    @field_validator("headers")
    @classmethod
    def _go_with_a_url(cls, headers: dict[str, str] | None, fields: ValidationInfo) -> dict[str, str] | None:
        if headers and not (fields.data.get("url", "http:") or "").lower().startswith(("http:", "https:")):
            raise ValueError(say("headers_with_url"))
        return headers or None

    @model_validator(mode="wrap")
    @classmethod
    def _one_source(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse none and several sources, and say so together with whatever else does not fit."""
        named = [name for name in SOURCES if isinstance(value, dict) and value.get(name) is not None]
        if len(named) == 1 or not isinstance(value, dict):
            return handler(value)
        message = say("one_source", given=", ".join(named) or "none")
        try:
            handler(value)
        except ValidationError as error:
            others: list[InitErrorDetails] = [
                {"type": problem["type"], "loc": problem["loc"], "input": None, "ctx": problem.get("ctx", {})}
                for problem in error.errors(include_url=False, include_input=False)
            ]
            context = {"error": ValueError(message)}
            own: InitErrorDetails = {"type": "value_error", "loc": (), "input": None, "ctx": context}
            raise ValidationError.from_exception_data(cls.__name__, [own, *others]) from None
        raise ValueError(message)


class ProcessedDocument(BaseModel):
    """What became of a document."""

    document_id: str
    version: int | None = Field(description="Its number, from 1; null of one that was never searchable.")
    unchanged: bool = Field(description="The same bytes, read in the same way, are there already.")
    chunks: int
    chunks_reused: int = Field(description="Those whose vector the KB had already.")
    characters: int
    pages: int | None
    encoding: str | None
    coverage: dict[str, list[list[int]]] | None = Field(
        description="Of a PDF: for each source of text the first and last page of each run of pages."
    )
    warnings: list[str]
    tokens_embedded: int
    estimated_cost: float | None = Field(description="US dollars; null where the price is not known.")
    timings: dict[str, float] = Field(description="Seconds of work by the name of the stage.")


class UnpackedArchive(BaseModel):
    """What became of an archive: a batch of tasks, one for each document in it."""

    documents: int
    warnings: list[str]
    batch_id: UUID


class DocumentResult(RootModel[ProcessedDocument | UnpackedArchive]):
    """The result of a `document_processing` task: that of a document, or that of an archive."""


def document_id_of(payload: Json) -> str:
    """Return a document's id; where it was given none, its URL, its path, its file name, or a digest of its text."""
    for name in ("document_id", "url", "file_path", "filename"):
        if payload.get(name):
            return _shortened(str(payload[name]))
    if payload.get("upload_id"):
        return str(payload["upload_id"])
    return "sha256:" + hashlib.sha256(payload["content"].encode()).hexdigest()


def apart(payload: Json) -> tuple[Json, dict[str, str] | None]:
    """Return a payload as it is kept and shown, with the names of its headers alone, and the headers themselves."""
    if "headers" not in payload:
        return payload, None
    shown = {name: value for name, value in payload.items() if name != "headers"}
    headers: dict[str, str] | None = payload["headers"] or None
    return shown | ({"header_names": sorted(headers)} if headers else {}), headers


def together(payload: Json, headers: dict[str, str] | None) -> Json:
    """Return a payload that was taken apart as it was said."""
    said = {name: value for name, value in payload.items() if name != "header_names"}
    return said | ({"headers": headers} if headers else {})


def parameters_of(payload: Json) -> Json:
    """Return how a document is read and split, wherever it comes from: the same bytes then make the same version."""
    others = (*SOURCES, "header_names", "document_id", "embedder", "force")
    return {name: value for name, value in payload.items() if name not in others}


def member_payload(payload: Json, name: str) -> Json:
    """Return the payload of an archive's document, whose path is `name`; all else is as it was said of the archive."""
    fields = {key: value for key, value in payload.items() if key not in (*SOURCES, "header_names", "content_type")}
    return fields | {
        "document_id": _shortened(f"{document_id_of(payload)}/{name}"),
        "filename": name.rpartition("/")[2][-LONGEST_ID:],
    }


def _shortened(name: str) -> str:
    """Return a name that an id has room for; what is cut off still tells two apart."""
    if len(name) <= LONGEST_ID and len(name.encode()) <= MOST_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()
    beginning = name[: LONGEST_ID - len(digest) - 1].encode()[: MOST_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{beginning}#{digest}"


TYPE = TaskType(
    name="document_processing",
    payload=DocumentProcessing,
    stages=tuple(Stage(name, queue=name, weight=label.weight) for name, label in LABELS.items()),
    result=DocumentResult,
    needs_kb=True,
    subject=document_id_of,
)
