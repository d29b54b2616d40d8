"""Documents below SOURCE_ROOTS: folders, buckets, and what else fsspec reaches, where the operator has named it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from documents.files import local
from documents.sandbox.pool import Cancelled
from errors import TaskError
from settings import Settings

#: What is fetched over HTTP, or is no URL at all, which is told there.
WEB = re.compile(r"https?:|(?![A-Za-z][A-Za-z0-9+.-]*://)", re.IGNORECASE)
_FILE = "file://"


def copy(url: str, settings: Settings, path: Path, cancelled: Callable[[], bool], timeout: float) -> None:
    """Copy a document to `path` from below one of SOURCE_ROOTS.

    Parameters:
      cancelled: asked with each part; True stops it.
      timeout: seconds.

    Raises:
      TaskError: forbidden_url, forbidden_path, not_found, too_large or fetch_failed.
      documents.sandbox.pool.Cancelled: `cancelled` said so.
    """
    scheme, separator, rest = url.partition("://")
    url = scheme.lower() + separator + rest
    if not is_below(url, settings.source_roots):
        raise TaskError(
            "forbidden_url", "the URL is neither http(s), nor below an address that may be read (SOURCE_ROOTS)"
        )
    if url.startswith(_FILE):
        folders = [_folder(root) for root in settings.source_roots if root.startswith(_FILE)]
        local.copy(str(_folder(url)), folders, settings.max_document_bytes, path)
    else:
        _fetch(url, path, _Watched(settings.max_document_bytes, cancelled, time.monotonic() + timeout))


def is_below(url: str, roots: list[str]) -> bool:
    """Return whether a URL lies below one of these, whatever its server makes of `..`, `%2e` and a backslash."""
    plain = unquote(url)
    if {".", ".."} & set(re.split(r"[/\\]", plain)) or re.search(r"[\x00-\x1f\x7f]", plain):
        return False
    # With `::` fsspec would have one kind of files read another.
    chained = "::" in url and not url.startswith(_FILE)
    return not chained and any(url.startswith(f"{root}/") for root in roots)


def filename_of(url: str) -> str | None:
    """Return what a document is called by its URL."""
    name = url.rpartition("/")[2]
    return (unquote(name) if url[: len(_FILE)].lower() == _FILE else name) or None


def _folder(url: str) -> Path:
    return Path(unquote(url.removeprefix(_FILE)))


class _Watched:
    """Counts the bytes of a copy, and stops it when it is too large, takes too long, or was cancelled."""

    def __init__(self, max_bytes: int, cancelled: Callable[[], bool], deadline: float) -> None:
        self.max_bytes = max_bytes
        self._cancelled = cancelled
        self._deadline = deadline
        self._size = 0

    def more(self, size: int) -> None:
        """Note that so many bytes have come.

        Raises:
          TaskError, Cancelled.
        """
        self._size += size
        if self._size > self.max_bytes:
            raise local.too_large(self.max_bytes)
        if self._cancelled():
            raise Cancelled("cancelled", "the copy was stopped")
        if time.monotonic() >= self._deadline:
            raise TaskError("fetch_failed", "the document did not come in time")


def _fetch(url: str, path: Path, watched: _Watched) -> None:
    # No message quotes more than the host or bucket, nor what a library says: both may hold what opens a door.
    place = "/".join(url.split("/", 3)[:3])
    try:
        files, inner = _opened(url)
        facts = files.info(inner)
        if facts["type"] != "file":
            raise TaskError("not_found", f"{place}: the URL names no file")
        if (facts.get("size") or 0) > watched.max_bytes:
            raise local.too_large(watched.max_bytes)
        watched.more(0)
        files.get_file(inner, str(path), callback=_callback(watched))
    except (TaskError, Cancelled):
        raise
    except FileNotFoundError:
        raise TaskError("not_found", f"{place}: there is no such document") from None
    except PermissionError:
        raise TaskError("fetch_failed", f"{place}: this service may not read it", retryable=False) from None
    except Exception as error:
        raise TaskError("fetch_failed", f"{place}: {type(error).__name__}") from None


def _opened(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        files, inner = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError):
        scheme = url.partition(":")[0]
        message = f"what reads {scheme}:// is not installed beside the workers"
        raise TaskError("fetch_failed", message, retryable=False) from None
    return files, inner


def _callback(watched: _Watched) -> Any:
    from fsspec.callbacks import Callback

    class Told(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            watched.more(inc)

    return Told()
