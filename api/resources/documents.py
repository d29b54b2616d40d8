"""Documents over HTTP: upload one, and read what is searchable now."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from math import ceil
from uuid import UUID

import falcon
from falcon import asgi
from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator
from sqlalchemy.orm import Session

from api import forms, requests
from api.access import callers
from api.bulkheads.pools import SEARCHING
from api.description import schemas
from api.description.operation import ANY_BYTES, operation
from api.problems import Invalid, problem
from api.resources.many import documents as many
from api.resources.tasks import answer
from documents.files.storage import PAGE, Upload, storage
from documents.storing import catalogue, deletions
from models import Original as OriginalPage
from models import audit
from models.base import Json, new_id
from sentences import say
from settings import Settings
from tasks.accepting.submission import Submission, submit
from tasks.ending import ending
from tasks.input.bounds import excess_of_metadata, why_unstorable
from tasks.input.fields import TaskFields
from tasks.transactions.group_commit import GroupCommit
from tasks.transactions.unit import unit_of_work
from tasks.types.document_processing import Reading

#: What can be done about a document that is too large.
SPLIT = ("MAX_DOCUMENT_BYTES is the maximum; split the document", "上限为 MAX_DOCUMENT_BYTES；请拆分文档")
#: Form fields that belong to the task; all others belong to its payload.
TASK_FIELDS = {
    name: field for name, field in TaskFields.model_fields.items() if name not in ("task_type", "kb_id", "payload")
}
_FILE: Json = {
    "file": (bytes, Field(description="The document.")),
    "document_id": (str | None, Field(None, description="Default: the file's name.")),
    "force": (bool, Field(False, description="Process it even if it is unchanged: the same bytes, read the same way.")),
}
UploadForm = create_model(
    "UploadForm",
    __doc__="The file, and what else a submission may say, as form fields.",
    **_FILE,
    **forms.described(Reading.model_fields | TASK_FIELDS),
)


class PageQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None


class Documents:
    """`/kbs/{kb_id}/documents`"""

    def __init__(self, commits: GroupCommit, settings: Settings) -> None:
        self._commits = commits
        self._storage = storage(settings)
        self._max_bytes = settings.max_document_bytes

    @operation(
        "Upload a document and submit its task.",
        {
            202: "Stored and accepted.",
            413: "Larger than MAX_DOCUMENT_BYTES.",
        },
        id="upload_document",
        tag="documents",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=UploadForm,
        example={"file": "# Leave\n\nEverybody has 30 days of leave a year.\n", "document_id": "leave.md"},
        response=schemas.AcceptedTask,
        form=True,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, kb_id: str) -> None:
        if not forms.is_form(req):
            raise falcon.HTTPUnsupportedMediaType(description=say("no_form"))
        requests.refuse_announced(req, self._max_bytes + forms.BESIDES_THE_FILE, *SPLIT)
        upload_id = new_id()
        upload: Upload | None = None
        fields: dict[str, str] = {}
        digest = hashlib.sha256()
        try:
            async for part in await req.get_media():
                name, filename, content_type = forms.said_of(part)
                if name != "file":
                    fields[name] = await forms.text(part)
                    continue
                if upload is not None:
                    raise Invalid([problem("file", say("file_twice"))])
                upload = await requests.beside(self._storage.writer, upload_id, self._max_bytes)
                # The form's own name and type count where no field names them.
                fields.setdefault("filename", filename or "")
                fields.setdefault("content_type", content_type or "")
                while data := await part.stream.read(PAGE):
                    await requests.beside(upload.write, data)
                    digest.update(data)
            if upload is None:
                raise Invalid([problem("file", say("file_missing"))])
            submission = _submission(kb_id, upload_id, fields)
            submission.under(requests.idempotency_key(req, repr(sorted(fields.items())).encode(), digest.digest()))
            submission.by(callers.actor(req))
            await callers.demand_dependencies(req, submission.depends_on)
            await requests.beside(upload.finish)
            # From here on a task may own it, whatever becomes of this request; the clock deletes it if none does.
            upload = None
            accepted = await requests.committed(self._commits, submit, submission)
            if accepted.task_id != upload_id:
                # The same request came before, with the same bytes: this copy is not needed.
                await requests.beside(self._storage.delete, upload_id)
        except BaseException:
            # The client's fault, ours, or a connection that broke: what was stored of it goes again.
            if upload is not None:
                await requests.beside(upload.abort)
            raise
        answer(resp, accepted)

    @operation(
        "List the documents of a KB.",
        {200: "A page; `next_cursor` is null on the last."},
        id="list_documents",
        tag="documents",
        description="Filters are looked for in 20,000 documents at a time, so a page may hold fewer than `limit`, or"
        " none, though another one follows.",
        query=many.DocumentsQuery,
        response=schemas.DocumentPage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, kb_id: str) -> None:
        query = requests.query(req, many.DocumentsQuery)
        resp.media = await requests.read_much(many.listed, kb_id, query, pool=SEARCHING)


class DocumentChange(BaseModel):
    """What of a document can be changed without taking it in again."""

    model_config = ConfigDict(extra="forbid")

    metadata: Json = Field(description="In place of what it has. At most 64 KiB as JSON.")

    @field_validator("metadata")
    @classmethod
    def _fits(cls, metadata: Json) -> Json:
        if (excess := why_unstorable(metadata) or excess_of_metadata(metadata)) is not None:
            raise ValueError(excess)
        return metadata


class Document:
    """`/kbs/{kb_id}/documents/{document_id}`"""

    @operation(
        "Show a document.",
        {200: "What is searchable of it now, and what is newer.", 404: "It is not searchable."},
        id="get_document",
        tag="documents",
        response=schemas.Document,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, kb_id: str, document_id: str) -> None:
        shown = await requests.read(_shown, kb_id, document_id, pool=SEARCHING)
        if shown is None:
            raise requests.missing("document", document_id)
        resp.media = shown

    @operation(
        "Delete a document; search forgets it at once.",
        {
            204: "It is gone. Tasks that were to bring it in end with `superseded`.",
            404: "It is not searchable, and no task is to bring it in.",
        },
        id="delete_document",
        tag="documents",
    )
    async def on_delete(self, req: asgi.Request, resp: asgi.Response, kb_id: str, document_id: str) -> None:
        def delete() -> None:
            with unit_of_work() as unit:
                # In this order: a task that is just being completed is waited for, and the document is there then.
                overtaken = ending.overtake(unit, kb_id, document_id, "document_processing")
                if deletions.remove(unit.session, kb_id, document_id) is None and not overtaken:
                    raise requests.missing("document", document_id)
                actor = callers.actor(req)
                audit.record(unit.session, actor, "document.delete", "document", document_id, kb_id=kb_id)

        await requests.beside(delete)
        resp.status = falcon.HTTP_204

    @operation(
        "Change a document's metadata, by which a search can be filtered; nothing is read or embedded.",
        {200: "The document as it is now.", 404: "It is not searchable."},
        id="change_document",
        tag="documents",
        description="`metadata` takes the place of what it had. A later submission that says `metadata` replaces it.",
        request=DocumentChange,
        example={"metadata": {"lang": "en", "team": "people"}},
        response=schemas.Document,
    )
    async def on_patch(self, req: asgi.Request, resp: asgi.Response, kb_id: str, document_id: str) -> None:
        change = await requests.body(req, lambda body: requests.fit(DocumentChange, body))

        def write() -> Json | None:
            with unit_of_work() as unit:
                if not catalogue.set_metadata(unit.session, kb_id, document_id, change.metadata):
                    raise requests.missing("document", document_id)
                actor = callers.actor(req)
                audit.record(unit.session, actor, "document.change", "document", document_id, kb_id=kb_id)
                return _shown(unit.session, kb_id, document_id)

        resp.media = await requests.beside(write)


def _shown(session: Session, kb_id: str, document_id: str) -> Json | None:
    document = catalogue.show(session, kb_id, document_id)
    return None if document is None else many.with_newer(session, kb_id, [document])[0]


class Chunks:
    """`/kbs/{kb_id}/documents/{document_id}/chunks`"""

    @operation(
        "List a document's chunks.",
        {200: "A page; `next_cursor` is null on the last.", 404: "It is not searchable."},
        id="list_chunks",
        tag="documents",
        query=PageQuery,
        response=schemas.ChunkPage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, kb_id: str, document_id: str) -> None:
        query = requests.query(req, PageQuery)
        after = requests.from_cursor(query.cursor, int)
        items = await requests.read(
            catalogue.chunks, kb_id, document_id, limit=query.limit + 1, after=after, pool=SEARCHING
        )
        if items is None:
            raise requests.missing("document", document_id)
        resp.media = requests.page_of(items, query.limit, "index")


class AroundQuery(BaseModel):
    """What is shown with a chunk."""

    model_config = ConfigDict(extra="forbid")

    around: int = Field(0, ge=0, le=50, description="Chunks before it, and after it.")


class OneChunk:
    """`/kbs/{kb_id}/documents/{document_id}/chunks/{index}`"""

    @operation(
        "Show a chunk by its index, with those around it.",
        {200: "The chunk.", 404: "The document is not searchable, or has no such chunk."},
        id="get_chunk",
        tag="documents",
        query=AroundQuery,
        response=schemas.ChunkAround,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, kb_id: str, document_id: str, index: str) -> None:
        query = requests.query(req, AroundQuery)
        # As PostgreSQL's integer holds it, and room for those after it.
        if not (index.isascii() and index.isdecimal() and len(index) <= 9):
            raise requests.missing("chunk", index)
        neighbours = await requests.read(catalogue.around, kb_id, document_id, int(index), query.around, pool=SEARCHING)
        if neighbours is None:
            raise requests.missing("chunk", f"{document_id}:{index}")
        resp.media = neighbours


class Text:
    """`/kbs/{kb_id}/documents/{document_id}/text`"""

    @operation(
        "The text that chunks' `start` and `end` point into, counted in characters.",
        {200: "UTF-8.", 404: "It is not searchable."},
        id="get_document_text",
        tag="documents",
        media="text/plain; charset=utf-8",
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, kb_id: str, document_id: str) -> None:
        text = await requests.read(catalogue.text, kb_id, document_id, pool=SEARCHING)
        if text is None:
            raise requests.missing("document", document_id)
        resp.content_type = "text/plain; charset=utf-8"
        resp.text = text


class Original:
    """`/kbs/{kb_id}/documents/{document_id}/original`"""

    def __init__(self, settings: Settings) -> None:
        self._storage = storage(settings, kind=OriginalPage)

    @operation(
        "A document as it came, byte for byte.",
        {200: "The version that is searchable.", 404: "It is not searchable, or was not kept (KEEP_ORIGINALS)."},
        id="get_document_original",
        tag="documents",
        media=ANY_BYTES,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, kb_id: str, document_id: str) -> None:
        original = await requests.read(catalogue.original, kb_id, document_id, pool=SEARCHING)
        if original is None:
            raise requests.missing("document", document_id)
        first = await SEARCHING.run(self._storage.read, original.original, 0) if original.original else None
        if original.original is None or (original.size and not first):
            detail = say("no_original", document_id=document_id[:200])
            raise falcon.HTTPNotFound(title="Not Found", description=detail)
        kind = original.content_type or ""
        resp.content_type = kind if forms.MEDIA_TYPE.fullmatch(kind) else ANY_BYTES
        resp.set_header("Content-Disposition", forms.attachment(original.filename or document_id.rpartition("/")[2]))
        # Whoever opens it all the same is shown nothing that runs.
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        resp.content_length = original.size
        resp.stream = self._pages(original.original, first or b"", ceil(original.size / PAGE))

    async def _pages(self, original: UUID, first: bytes, pages: int) -> AsyncIterator[bytes]:
        yield first
        for number in range(1, pages):
            yield await SEARCHING.run(self._storage.read, original, number)


def _submission(kb_id: str, upload_id: UUID, fields: dict[str, str]) -> Submission:
    """Return the task of an upload. The numbers of a form are text; pydantic reads them."""
    filled = {name: value for name, value in fields.items() if value != ""}
    task = {name: forms.understood(name, filled.pop(name), TASK_FIELDS) for name in TASK_FIELDS if name in filled}
    if "upload_id" in filled:
        raise Invalid([problem("upload_id", say("upload_id"))])
    payload: Json = {**filled, "upload_id": str(upload_id)}
    payload.setdefault("document_id", filled.get("filename"))
    if payload["document_id"] is None:
        del payload["document_id"]
    submission = requests.fit(
        Submission, {**task, "task_type": "document_processing", "kb_id": kb_id, "payload": payload}
    )
    return submission.named(upload_id)
