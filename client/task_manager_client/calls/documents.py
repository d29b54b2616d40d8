"""Documents of a KB: submitted, uploaded, shown, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from task_manager_client.answers.documents import (
    Chunk,
    ChunkAround,
    ChunkPreview,
    Document,
    DocumentsPreview,
)
from task_manager_client.answers.tasks import AcceptedTask
from task_manager_client.calls.options import (
    DocumentFilter,
    DocumentOptions,
    DocumentQuery,
    PreviewOptions,
    divided,
    filtered,
    form,
    pairs,
)
from task_manager_client.core.call import (
    Answer,
    Call,
    Page,
    as_json,
    at,
    delete,
    get,
    get_page,
    post,
    shaped,
    without_none,
)
from task_manager_client.core.uploads import Progress, Source, Upload


def upload_document(
    kb_id: str,
    source: Source,
    *,
    filename: str | None = None,
    progress: Progress | None = None,
    **options: Unpack[DocumentOptions],
) -> Call[AcceptedTask]:
    """Upload a document, streamed; one of the same id is replaced.

    Parameters:
      source: a path, the bytes, or a file that is open for reading bytes.
      filename: what it is called; default: the file's own name. Needed for bytes.
      progress: told how many bytes are sent, and how many there are.

    Raises:
      ValueError: bytes without a `filename`.
      OSError: the file cannot be opened.
    """
    call = post(at("kbs", kb_id, "documents"), shaped(AcceptedTask), once=True)
    return call.with_upload(Upload(source, filename, form(options), progress))


def submit_document(
    kb_id: str,
    *,
    content: str | None = None,
    url: str | None = None,
    file_path: str | None = None,
    filename: str | None = None,
    headers: Mapping[str, str] | None = None,
    **options: Unpack[DocumentOptions],
) -> Call[AcceptedTask]:
    """Submit a document by its text, its URL, or a path that the service can read; one of the same id is replaced.

    Parameters:
      headers: what the URL is fetched with, such as `Authorization`. The service shows their names alone.
    """
    task, payload = divided(options)
    payload |= without_none(content=content, url=url, file_path=file_path, filename=filename)
    payload |= without_none(headers=headers and dict(headers))
    body = {"task_type": "document_processing", "kb_id": kb_id, "payload": payload, **task}
    return post(at("tasks"), shaped(AcceptedTask), body, once=True)


def list_documents(
    kb_id: str, *, page_size: int = 100, cursor: str | None = None, **query: Unpack[DocumentQuery]
) -> Call[Page[Document]]:
    """List what is searchable in a KB; by id unless `sort` says otherwise."""
    said = {**query, "metadata": pairs(query.get("metadata"))}
    return get_page(at("kbs", kb_id, "documents"), Document, limit=page_size, cursor=cursor, **said)


def get_document(kb_id: str, document_id: str) -> Call[Document]:
    """Read what is searchable of a document now."""
    return get(at("kbs", kb_id, "documents", document_id), Document)


def change_document(kb_id: str, document_id: str, *, metadata: Mapping[str, object]) -> Call[Document]:
    """Replace the metadata of a document."""
    path = at("kbs", kb_id, "documents", document_id)
    return Call("PATCH", path, shaped(Document), body=as_json({"metadata": metadata}))


def delete_document(kb_id: str, document_id: str) -> Call[None]:
    """Delete a document; no search that begins afterwards finds it."""
    return delete(at("kbs", kb_id, "documents", document_id))


def delete_documents(kb_id: str, *, all: bool = False, **filter: Unpack[DocumentFilter]) -> Call[AcceptedTask]:
    """Delete all documents of a KB that meet a filter. It is a task."""
    body = {"filter": filtered(filter), "all": all}
    return post(at("kbs", kb_id, "documents", "delete"), shaped(AcceptedTask), body, once=True)


def preview_delete(kb_id: str, *, all: bool = False, **filter: Unpack[DocumentFilter]) -> Call[DocumentsPreview]:
    """Say how many documents `delete_all` would delete, and which are among them."""
    body = {"filter": filtered(filter), "all": all, "dry_run": True}
    return post(at("kbs", kb_id, "documents", "delete"), shaped(DocumentsPreview), body, repeatable=True)


def get_document_text(kb_id: str, document_id: str) -> Call[str]:
    """Read the text of a document, which the places of its chunks count in."""
    return Call("GET", at("kbs", kb_id, "documents", document_id, "text"), _text)


def get_document_original(kb_id: str, document_id: str) -> Call[bytes]:
    """Read a document as it came, byte for byte, whole into memory; kept unless KEEP_ORIGINALS is false.

    Raises:
      NotFound: there is no such document, or its original was not kept.
    """
    return Call("GET", at("kbs", kb_id, "documents", document_id, "original"), lambda answer: answer.body)


def list_chunks(kb_id: str, document_id: str, *, page_size: int = 100, cursor: str | None = None) -> Call[Page[Chunk]]:
    """List the chunks of a document in their order."""
    return get_page(at("kbs", kb_id, "documents", document_id, "chunks"), Chunk, limit=page_size, cursor=cursor)


def get_chunk(kb_id: str, document_id: str, index: int, *, around: int | None = None) -> Call[ChunkAround]:
    """Read a chunk, with so many neighbours on each side."""
    return get(at("kbs", kb_id, "documents", document_id, "chunks", index), ChunkAround, around=around)


def preview_chunks(content: str, **options: Unpack[PreviewOptions]) -> Call[ChunkPreview]:
    """Show what a text would become; nothing is kept."""
    body = without_none(content=content, **options)
    return post(at("chunk-preview"), shaped(ChunkPreview), body, repeatable=True)


def preview_upload(source: Source, **options: Unpack[PreviewOptions]) -> Call[ChunkPreview]:
    """Show what a file would become; nothing is kept.

    Raises:
      ValueError: bytes without a `filename`.
      OSError: the file cannot be opened.
    """
    call = post(at("chunk-preview"), shaped(ChunkPreview), repeatable=True)
    return call.with_upload(Upload(source, options.get("filename"), form(options)))


def _text(answer: Answer) -> str:
    return answer.body.decode("utf-8")
