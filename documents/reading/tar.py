"""Tar archives and single files, packed by gzip or bzip2 or not at all, read as a stream without trusting it."""

from __future__ import annotations

import bz2
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO, Self

from documents.reading.archive import (
    MAX_INFLATED,
    MAX_MEMBERS,
    MAX_RATIO,
    RATIO_MATTERS_FROM,
    Entry,
    bomb,
    kind_of,
)
from documents.reading.decoding import decode
from errors import TaskError

_STEP = 256 * 1024
_GZIP = 31  # to zlib: with the header and the checksum of gzip
#: Suffixes of packed files, and what is left of them when they are unpacked.
_PACKED = {".gz": "", ".bz2": "", ".tgz": ".tar", ".tbz2": ".tar", ".tbz": ".tar"}


def entries(path: Path, filename: str | None, most: int) -> Iterator[Entry]:
    """Yield the members of a tar archive, or the one file that is packed; each is to be read before the next.

    most: bytes of a packed file that are kept.

    Raises:
      TaskError: corrupt, archive_bomb.
    """
    with path.open("rb") as file, _explained():
        head = Inflated(path, file).read(_STEP)
        file.seek(0)
        stream = Inflated(path, file)
        if kind_of(head) == "tar":
            yield from _members(stream)
            while stream.read(_STEP):  # to the checksum
                pass
        else:
            yield _single(stream, _unpacked_name(filename), most)


class _Header(tarfile.TarInfo):
    """A header that is told when it is damaged, where `tarfile` would take it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"a header in it is damaged ({error})") from error


def _members(stream: Inflated) -> Iterator[Entry]:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as archive:  # type: ignore[call-overload]
        for number, info in enumerate(archive):
            if number >= MAX_MEMBERS:
                raise bomb(f"it holds more than {MAX_MEMBERS:,} parts")
            if not info.isdir():
                yield Entry(_name(info.name), info.size, _reader(archive, info))


def _reader(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        if not info.isreg() or info.issparse():
            raise TaskError("unsupported_format", "it is a link, a device or a sparse file, not a plain one")
        with _explained():
            member = archive.extractfile(info)
            data = member.read() if member else b""
            if len(data) < info.size:
                raise EOFError("it is cut short")
            return data

    return read


def _single(stream: Inflated, name: str, most: int) -> Entry:
    parts, size = list[bytes](), 0
    while part := stream.read(_STEP):
        if size <= most:
            parts.append(part)
        size += len(part)
    return Entry(name, size, lambda: b"".join(parts))


def _name(name: str) -> str:
    """Return a member's name as it was meant: in UTF-8, or else in the encoding that its bytes speak for."""
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return decode(raw).text
    except TaskError:
        return raw.decode("utf-8", "replace")


def _unpacked_name(filename: str | None) -> str:
    path = PurePath(filename or "document")
    return path.stem + _PACKED[path.suffix.lower()] if path.suffix.lower() in _PACKED else path.name


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise TaskError("corrupt", f"the archive is damaged: {error}") from error


class Inflated:
    """What a file holds once it is inflated, for as long as that is in proportion.

    Raises:
      TaskError: archive_bomb, from `read`.
      EOFError: from `read`, where the file is cut short; and what zlib and bz2 raise.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._size = path.stat().st_size
        self._file = file
        self._kind = kind_of(file.read(512))
        file.seek(0)
        self._inflator = self._new()
        self._packed = b""
        self._told = 0

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        data = b""
        while not data:
            if self._inflator is None:
                data = self._file.read(size)
                break
            if self._inflator.eof and not self._goes_on():
                break
            data = self._inflate(size)
        self._count(len(data))
        return data

    def _new(self) -> zlib._Decompress | bz2.BZ2Decompressor | None:
        if self._kind == "gzip":
            return zlib.decompressobj(_GZIP)
        return bz2.BZ2Decompressor() if self._kind == "bzip2" else None

    def _goes_on(self) -> bool:
        """Begin the next stream, where several were put together; what else follows is no part of the file."""
        assert self._inflator is not None
        self._packed = self._inflator.unused_data + self._file.read(_STEP)
        if kind_of(self._packed) != self._kind:
            return False
        self._inflator = self._new()
        return True

    def _inflate(self, size: int) -> bytes:
        if isinstance(self._inflator, bz2.BZ2Decompressor):
            packed = b""
            if self._inflator.needs_input:
                packed = self._next()
            return self._inflator.decompress(packed, size)
        assert self._inflator is not None
        packed = self._inflator.unconsumed_tail or self._next()
        return self._inflator.decompress(packed, size)

    def _next(self) -> bytes:
        packed, self._packed = self._packed or self._file.read(_STEP), b""
        if not packed:
            raise EOFError("it is cut short")
        return packed

    def _count(self, count: int) -> None:
        self._told += count
        if self._told > MAX_INFLATED:
            raise bomb(f"it inflates to more than {MAX_INFLATED:,} bytes")
        if self._told > RATIO_MATTERS_FROM and self._told > self._size * MAX_RATIO:
            raise bomb(f"{self._size:,} bytes inflate to more than {MAX_RATIO} times as many")
