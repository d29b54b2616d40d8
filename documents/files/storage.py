"""Where uploads are kept until they have been read, and originals: pages of a table, or files of a folder or bucket."""

from __future__ import annotations

import glob
import hashlib
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Never
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from errors import TaskError
from models import Blob, Original, database
from models.statement import Statement, prepared
from settings import Settings

#: Bytes of a page in the table: a shorter one is the last, so this stays what it was when the table was filled.
PAGE = 1024 * 1024
#: Names of files that are still being written end so.
PART = ".part"


#: What is kept apart from each other.
Kind = type[Blob] | type[Original]


class Storage(ABC):
    """Keeps uploads, or originals, by their id. What was not written to its end is not kept."""

    @abstractmethod
    def writer(self, upload_id: UUID, max_bytes: int) -> Upload:
        """Begin an upload."""

    @abstractmethod
    def copy_to(self, upload_id: UUID, path: Path) -> None:
        """Write an upload to a file.

        Raises:
          TaskError: not_found, when there is no such upload.
        """

    @abstractmethod
    def read(self, upload_id: UUID, page: int) -> bytes:
        """Return a page of an upload, counted from 0 and of PAGE bytes; the last is shorter, and behind it none."""

    @abstractmethod
    def delete(self, upload_id: UUID) -> None:
        """Forget an upload; nothing happens when there is none."""

    def delete_all(self, upload_ids: Sequence[UUID]) -> None:
        """Forget several."""
        for upload_id in upload_ids:
            self.delete(upload_id)

    @abstractmethod
    def older_than(self, age: timedelta, limit: int, after: UUID | None = None) -> list[UUID]:
        """Return uploads that have been there for longer, in the order of their ids and so of their age.

        Parameters:
          after: the id that the page before ended with.
        """


class Upload(ABC):
    """An upload in progress. `write` takes bytes of any length; one of `finish` and `abort` ends it."""

    def __init__(self, max_bytes: int) -> None:
        self.size = 0
        self._max_bytes = max_bytes

    def write(self, data: bytes) -> None:
        """Take more bytes.

        Raises:
          TaskError: too_large.
        """
        self.size += len(data)
        if self.size > self._max_bytes:
            raise TaskError("too_large", f"the upload is larger than {self._max_bytes:,} bytes (MAX_DOCUMENT_BYTES)")
        self._write(data)

    @abstractmethod
    def _write(self, data: bytes) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """Keep it."""

    @abstractmethod
    def abort(self) -> None:
        """Leave nothing behind."""


#: Opens a transaction that commits at its end.
Transaction = Callable[[], AbstractContextManager[Session]]


def storage(settings: Settings, transaction: Transaction = database.write, kind: Kind = Blob) -> Storage:
    """Return the storage that STORAGE_URL names; without it a table, since PaaS processes share no disk.

    Parameters:
      kind: Blob for uploads, Original for what is kept of documents.
      transaction: opens the transactions in which something is kept or deleted. If one fails, nothing is.
    """
    return Files(settings.storage_url, transaction, kind) if settings.storage_url else Table(transaction, kind)


class Page(NamedTuple):
    """A page of an upload; the first says the size and the SHA-256 of the whole, once that is written."""

    data: memoryview
    size: int | None
    sha256: memoryview | None


_PAGE: dict[Kind, Statement[Page]] = {
    kind: prepared(f"SELECT data, size, sha256 FROM {kind.__tablename__} WHERE id = :id AND page = :page", Page)
    for kind in (Blob, Original)
}
_KEEP: dict[Kind, Statement[Never]] = {
    kind: prepared(
        f"""
        INSERT INTO {kind.__tablename__} (id, page, data, size, sha256)
        VALUES (:id, CAST(:page AS integer), :data, CAST(:size AS bigint), CAST(:sha256 AS bytea))
        """
    )
    for kind in (Blob, Original)
}


class Table(Storage):
    """Pages of 1 MiB, each written in a transaction of its own, so that no upload is ever whole in memory."""

    def __init__(self, transaction: Transaction = database.write, kind: Kind = Blob) -> None:
        self._transaction = transaction
        self._kind: Kind = kind

    def writer(self, upload_id: UUID, max_bytes: int) -> Upload:
        return _Pages(upload_id, max_bytes, self._transaction, self._kind)

    def read(self, upload_id: UUID, page: int) -> bytes:
        piece = database.read(_PAGE[self._kind], {"id": upload_id, "page": page})
        return bytes(piece[0].data) if piece else b""

    def copy_to(self, upload_id: UUID, path: Path) -> None:
        digest, size = hashlib.sha256(), 0
        first: Page | None = None
        with path.open("wb") as file:
            for page in self._pages(upload_id):
                first = first or page
                file.write(page.data)
                digest.update(page.data)
                size += len(page.data)
        # An upload of a release before has no sum.
        if first is None:
            raise _gone(upload_id)
        if first.size is not None and (first.size, bytes(first.sha256 or b"")) != (size, digest.digest()):
            raise _gone(upload_id, f": {size:,} bytes were found of {first.size:,}")

    def _pages(self, upload_id: UUID) -> Iterator[Page]:
        for number in count():
            piece = database.read(_PAGE[self._kind], {"id": upload_id, "page": number})
            yield from piece
            if not piece or len(piece[0].data) < PAGE:
                return  # only the last is shorter

    def delete(self, upload_id: UUID) -> None:
        with self._transaction() as session:
            session.execute(delete(self._kind).where(self._kind.id == upload_id))

    def delete_all(self, upload_ids: Sequence[UUID]) -> None:
        with self._transaction() as session:
            session.execute(delete(self._kind).where(self._kind.id.in_(list(upload_ids))))

    def older_than(self, age: timedelta, limit: int, after: UUID | None = None) -> list[UUID]:
        old = select(Blob.id).where(Blob.page == 0, Blob.created_at < func.now() - age)
        if after is not None:
            old = old.where(Blob.id > after)
        with database.transaction() as session:
            return list(session.scalars(old.order_by(Blob.id).limit(limit)))


class _Pages(Upload):
    def __init__(self, upload_id: UUID, max_bytes: int, transaction: Transaction, kind: Kind) -> None:
        super().__init__(max_bytes)
        self._transaction = transaction
        self._kind: Kind = kind
        self._id = upload_id
        self._page = 0
        self._rest = bytearray()
        self._digest = hashlib.sha256()

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._rest += data
        while len(self._rest) >= PAGE:
            self._store(bytes(self._rest[:PAGE]))
            del self._rest[:PAGE]

    def _store(self, data: bytes, size: int | None = None) -> None:
        sha256 = None if size is None else self._digest.digest()
        values = {"id": self._id, "page": self._page, "data": data, "size": size, "sha256": sha256}
        with self._transaction() as session:
            database.rows(session, _KEEP[self._kind], values)
        self._page += 1

    def finish(self) -> None:
        # An empty upload is a page without bytes: its task says that the document is empty.
        if self._page == 0:
            self._store(bytes(self._rest), self.size)
            return
        if self._rest:
            self._store(bytes(self._rest))
        whole = {"size": self.size, "sha256": self._digest.digest()}
        with self._transaction() as session:
            session.execute(update(self._kind).where(self._kind.id == self._id, self._kind.page == 0).values(**whole))

    def abort(self) -> None:
        Table(self._transaction, self._kind).delete(self._id)


def _gone(upload_id: UUID, how: str = "") -> TaskError:
    return TaskError("not_found", f"the upload {upload_id} is not whole, or gone{how}; upload the file again")


class Files(Storage):
    """Files below a folder or bucket, through fsspec."""

    def __init__(self, url: str, transaction: Transaction = database.write, kind: Kind = Blob) -> None:
        import fsspec

        self._transaction = transaction

        self._files, root = fsspec.core.url_to_fs(url)
        self._root = root if kind is Blob else f"{root}/{kind.__tablename__}"
        self._files.makedirs(self._root, exist_ok=True)

    def _path(self, upload_id: UUID) -> str:
        return f"{self._root}/{upload_id}"

    def writer(self, upload_id: UUID, max_bytes: int) -> Upload:
        return _File(self._files, self._path(upload_id), max_bytes, self._transaction)

    def copy_to(self, upload_id: UUID, path: Path) -> None:
        try:
            self._files.get_file(self._path(upload_id), str(path))
        except FileNotFoundError:
            raise _gone(upload_id) from None

    def read(self, upload_id: UUID, page: int) -> bytes:
        try:
            data: bytes = self._files.cat_file(self._path(upload_id), start=page * PAGE, end=(page + 1) * PAGE)
        except FileNotFoundError:
            return b""
        return data

    def delete(self, upload_id: UUID) -> None:
        with self._transaction():
            for path in self._files.glob(f"{glob.escape(self._path(upload_id))}*"):
                self._files.rm_file(path)

    def older_than(self, age: timedelta, limit: int, after: UUID | None = None) -> list[UUID]:
        ids: list[UUID] = []
        for path in sorted(self._files.ls(self._root, detail=False)):
            name = path.rpartition("/")[2]
            try:
                upload_id = UUID(name.partition(".")[0])
            except ValueError:
                continue
            # Ids are of version 7: their first 48 bits are the millisecond they were made in.
            old = (upload_id.int >> 80) / 1000 < time.time() - age.total_seconds()
            if old and (after is None or upload_id > after) and upload_id not in ids[-1:]:
                ids.append(upload_id)
        return ids[:limit]


class _File(Upload):
    def __init__(self, files: Any, path: str, max_bytes: int, transaction: Transaction) -> None:
        super().__init__(max_bytes)
        self._files = files
        self._path = path
        self._transaction = transaction
        # Of its own: another attempt at the same may be written beside it.
        self._part = f"{path}.{uuid.uuid4().hex}{PART}"
        self._file = files.open(self._part, "wb")

    def _write(self, data: bytes) -> None:
        self._file.write(data)

    def finish(self) -> None:
        self._file.close()
        with self._transaction():
            self._files.mv(self._part, self._path)

    def abort(self) -> None:
        self._file.close()
        if self._files.exists(self._part):
            self._files.rm_file(self._part)
