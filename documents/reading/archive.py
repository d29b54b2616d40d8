"""Archives: how each kind begins, and zip, opened without trusting what it says about its sizes."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from errors import TaskError

#: No office document of honest make inflates to more.
MAX_INFLATED = 512 * 1024 * 1024
#: Deflate reaches 1,032; dense office XML stays far under 100. Small archives may be as dense as they like.
MAX_RATIO = 200
RATIO_MATTERS_FROM = 32 * 1024 * 1024
#: Larger members are inflated once without being kept, to see that they are as large as they claim.
_VERIFIED_FROM = 16 * 1024 * 1024
MAX_MEMBERS = 20_000
_STEP = 1024 * 1024
_LOCAL_HEADER = 30  # bytes before a member's name
_SMALLEST_ENTRY = 46  # bytes that a member takes in the directory at least


#: How archives begin, and files that are packed.
_KINDS = {
    "zip": re.compile(rb"PK(?:\x03\x04|\x05\x06)"),
    "tar": re.compile(rb".{257}ustar", re.DOTALL),
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
}


def kind_of(head: bytes) -> str | None:
    """Return `zip`, `tar`, `gzip` or `bzip2` by the first 512 bytes of a file; None for what is none of these."""
    return next((kind for kind, begins in _KINDS.items() if begins.match(head)), None)


def kind_of_file(path: Path) -> str | None:
    """Return what `kind_of` does, of a file; a zip may be an office document or an e-book as well."""
    with path.open("rb") as file:
        return kind_of(file.read(512))


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive: its name as it was meant, the bytes that it claims to have, and what reads it."""

    name: str
    size: int
    read: Callable[[], bytes]


class Archive:
    """A zip file whose members are read within one budget of inflated bytes.

    Raises:
      TaskError: corrupt, encrypted, or archive_bomb, from the constructor as from `read`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _count_members(path)
        self._file = path.open("rb")
        try:
            self._zip = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            self._file.close()
            raise TaskError("corrupt", f"the archive cannot be opened: {error}") from error
        self.members = {info.filename: info for info in self._zip.infolist()}
        self._left = MAX_INFLATED
        self._refusebomb(path.stat().st_size)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return self._member(name) is not None

    def _member(self, name: str) -> zipfile.ZipInfo | None:
        """Find a member by its name, or by one that differs in case or in its slashes, as some programs write them."""
        return self.members.get(name) or self._folded.get(_fold(name))

    @cached_property
    def _folded(self) -> dict[str, zipfile.ZipInfo]:
        return {_fold(name): info for name, info in reversed(self.members.items())}

    def read(self, name: str) -> bytes:
        """Return a member's bytes, or b"" when there is no such member."""
        info = self._member(name)
        if info is None:
            return b""
        if info.flag_bits & 1:
            raise TaskError("encrypted", f"the part {name} of the archive is protected by a password")
        if (data := self._at_once(info)) is not None:
            self._spend(len(data))
            return data
        if info.file_size > _VERIFIED_FROM and self._holds_more(info):
            raise self._lie(info)
        parts = []
        try:
            with self._zip.open(info) as member:
                while part := member.read(_STEP):
                    self._spend(len(part))
                    parts.append(part)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError) as error:
            if self._holds_more(info):
                raise self._lie(info) from error
            raise TaskError("corrupt", f"the part {name} of the archive is damaged: {error}") from error
        return b"".join(parts)

    def _at_once(self, info: zipfile.ZipInfo) -> bytes | None:
        """Read a small member in a third of `zipfile`'s time; return None when `zipfile` has to judge it."""
        name = info.filename.encode()
        if max(info.file_size, info.compress_size) > _STEP or info.compress_type != zipfile.ZIP_DEFLATED:
            return None
        try:
            self._file.seek(info.header_offset)
            header = self._file.read(_LOCAL_HEADER + len(name))
            if (
                header[:4] != b"PK\x03\x04"
                or header[_LOCAL_HEADER:] != name
                or header[26:28] != len(name).to_bytes(2, "little")
            ):
                return None
            self._file.seek(int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
            inflator = zlib.decompressobj(-15)
            data = inflator.decompress(self._file.read(info.compress_size), info.file_size + 1)
        except (zlib.error, OSError, ValueError):
            return None
        whole = inflator.eof and len(data) == info.file_size and zlib.crc32(data) == info.CRC
        return data if whole else None

    def _spend(self, count: int) -> None:
        """Take inflated bytes off the budget."""
        self._left -= count
        if self._left < 0:
            raise bomb(f"its parts inflate to more than {MAX_INFLATED:,} bytes")

    def _holds_more(self, info: zipfile.ZipInfo) -> bool:
        """Return whether a member goes on after the size that it declares; looked at without keeping anything."""
        left = info.file_size
        try:
            with self._path.open("rb") as file:
                file.seek(info.header_offset)
                header = file.read(_LOCAL_HEADER)
                file.seek(sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28)), os.SEEK_CUR)
                inflator = zlib.decompressobj(-15)
                while left >= 0 and not inflator.eof:
                    packed = inflator.unconsumed_tail or file.read(_STEP)
                    if not packed:
                        break
                    left -= len(inflator.decompress(packed, _STEP))
        except (zlib.error, OSError, ValueError):  # of the last two, a member that begins before the file does
            return False
        return left < 0

    def _lie(self, info: zipfile.ZipInfo) -> TaskError:
        return bomb(f"its part {info.filename} inflates to more than the {info.file_size:,} bytes it claims")

    def _refusebomb(self, size: int) -> None:
        """Judge by the declared sizes, before a byte is inflated."""
        declared = sum(info.file_size for info in self.members.values())
        if declared > MAX_INFLATED:
            raise bomb(f"{size:,} bytes claim to inflate to {declared:,}")
        if declared > RATIO_MATTERS_FROM and declared > size * MAX_RATIO:
            raise bomb(f"{size:,} bytes claim to inflate to {declared:,}, {declared // max(size, 1)} times as many")


def _fold(name: str) -> str:
    return name.replace("\\", "/").casefold()


def _count_members(path: Path) -> None:
    """Refuse a directory of millions before `zipfile` builds an object for each of them."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_557))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at >= 0 and int.from_bytes(tail[at + 12 : at + 16], "little") > MAX_MEMBERS * _SMALLEST_ENTRY * 4:
        raise bomb(f"its directory lists more than {MAX_MEMBERS:,} parts")


def bomb(why: str) -> TaskError:
    """Return the error of an archive that is out of proportion."""
    return TaskError("archive_bomb", f"the archive was not opened: {why}")
