"""Where a document's bytes come from: a path, a URL, an upload, or the payload itself; always into a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

import outbound
from documents.files import local, roots
from documents.files.storage import Kind, Transaction, storage
from documents.sandbox.pool import Cancelled
from documents.text import clean
from errors import TaskError
from models import Blob
from models.base import Json
from settings import Settings

#: HTTP statuses that say that a document is not there, and will not be.
MISSING = (404, 410)


@dataclass(frozen=True, slots=True)
class Source:
    """A document's bytes in a file, and what its submitter calls it."""

    path: Path
    filename: str | None
    content_type: str | None
    sha256: bytes
    size: int
    """Bytes."""


def fetch(
    payload: Json,
    settings: Settings,
    folder: Path,
    *,
    headers: Mapping[str, str] | None = None,
    cancelled: Callable[[], bool],
    timeout: float,
) -> Source:
    """Bring the document that a payload names into `folder`.

    Parameters:
      payload: of a `document_processing` task, with exactly one source.
      headers: what a URL is fetched with.
      cancelled: asked now and then; True stops a download.
      timeout: seconds.

    Raises:
      TaskError: not_found, forbidden_path, forbidden_url, fetch_failed, rate_limited or too_large.
      documents.sandbox.pool.Cancelled: `cancelled` said so.
    """
    path = folder / "document"
    filename, content_type = payload.get("filename"), payload.get("content_type")
    if payload.get("content") is not None:
        path.write_bytes(payload["content"].encode())
        filename = filename or "content.txt"
    elif payload.get("file_path") is not None:
        local.copy(payload["file_path"], settings.roots, settings.max_document_bytes, path)
        filename = filename or Path(payload["file_path"]).name
    elif payload.get("url") is not None and not roots.WEB.match(payload["url"]):
        roots.copy(payload["url"], settings, path, cancelled, timeout)
        filename = filename or roots.filename_of(payload["url"])
    elif payload.get("url") is not None:
        downloaded = _download(payload["url"], settings, path, headers, cancelled, timeout)
        filename, content_type = filename or downloaded.filename, content_type or downloaded.content_type
    else:
        storage(settings).copy_to(UUID(payload["upload_id"]), path)
    size = path.stat().st_size
    if size > settings.max_document_bytes:
        raise local.too_large(settings.max_document_bytes)
    return Source(path, filename, content_type, _digest(path), size)


def keep(path: Path, settings: Settings, task_id: UUID, transaction: Transaction, kind: Kind = Blob) -> None:
    """Store a document under its task's id, as an upload is: whoever reads a part of it later reads the same bytes.

    Parameters:
      transaction: opens the transactions in which it is kept, which fail when the task is in other hands.
    """
    kept = storage(settings, transaction, kind)
    kept.delete(task_id)
    upload = kept.writer(task_id, settings.max_document_bytes)
    try:
        with path.open("rb") as file:
            while part := file.read(local.PART):
                upload.write(part)
        upload.finish()
    except BaseException:
        upload.abort()
        raise


def fetch_kept(settings: Settings, task_id: UUID, folder: Path) -> Path:
    """Bring a document into `folder` that was uploaded, or kept.

    Raises:
      TaskError: not_found.
    """
    path = folder / "document"
    storage(settings).copy_to(task_id, path)
    return path


def _download(
    url: str,
    settings: Settings,
    path: Path,
    headers: Mapping[str, str] | None,
    cancelled: Callable[[], bool],
    timeout: float,
) -> outbound.Downloaded:
    host = outbound.host_of(url)
    try:
        answer = outbound.download(
            url,
            path,
            max_bytes=settings.max_document_bytes,
            timeout=timeout,
            headers=headers,
            allowed_hosts=settings.source_allowed_hosts,
            cancelled=cancelled,
        )
    except outbound.ForbiddenAddress as error:
        raise TaskError("forbidden_url", str(error)) from None
    except outbound.TooLarge as error:
        raise TaskError("too_large", f"{error} (MAX_DOCUMENT_BYTES)") from None
    except outbound.Interrupted as error:
        raise Cancelled("cancelled", str(error)) from None
    except outbound.OutboundError as error:
        raise TaskError("fetch_failed", str(error)) from None
    if answer.status in MISSING:
        raise TaskError("not_found", f"{host} answered {answer.status}: there is no such document")
    if answer.status == 429:
        raise TaskError("rate_limited", f"{host} answered 429", retry_after=answer.retry_after)
    if not 200 <= answer.status < 300:
        # What the client side did wrong stays wrong; what the server could not do it may do later.
        retryable = answer.status >= 500 or answer.status == 408
        raise TaskError(
            "fetch_failed", f"{host} answered {answer.status}", retryable=retryable, retry_after=answer.retry_after
        )
    return outbound.Downloaded(
        answer.status,
        answer.retry_after,
        answer.content_type,
        _told(unquote(answer.filename)) if answer.filename else None,
        answer.size,
    )


def _told(name: str) -> str | None:
    """Return a name that somebody else's server gives, without the control characters that none has."""
    return " ".join(clean(name)[0].split()) or None


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
