"""Archives of documents: their members are inflated into files, each to become a document of its own."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from documents.reading import tar
from documents.reading.archive import MAX_INFLATED, Archive, Entry, kind_of_file
from documents.reading.containers import zip_format
from documents.reading.decoding import decode
from documents.reading.formats import ZIP
from documents.reading.sniffing import HEAD, format_of_head, named_format
from documents.text import shorten
from errors import TaskError

#: Documents that an archive, with all archives in it, becomes at most.
MAX_DOCUMENTS = 10_000
#: How deep archives may lie in archives.
DEEPEST = 3
#: What systems leave in archives beside the documents.
_LEFT_BEHIND = re.compile(r"(?:^|/)(?:__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)")
_UTF8 = 0x800  # a flag of a member: its name is in UTF-8
_UNICODE_PATH = 0x7075  # an extra field of Info-ZIP: the member's name in UTF-8


@dataclass(slots=True)
class Member:
    """A document of an archive: its path in there, and the file that now holds it."""

    name: str
    file: str


@dataclass(slots=True)
class Unpacked:
    """What an archive holds. `warnings` name members that are not read, and why, as far as `shorten` does."""

    members: list[Member] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Budget:
    """Bytes to which archives may inflate together. Raises archive_bomb from `spend`."""

    left: int = field(default_factory=lambda: MAX_INFLATED)

    def spend(self, count: int) -> None:
        """Take what a member claims to inflate to off the budget."""
        self.left -= count
        if self.left < 0:
            raise TaskError("archive_bomb", f"the archives in it inflate to more than {MAX_INFLATED:,} bytes")


def unpack(
    path: str, filename: str | None, content_type: str | None, folder: str, max_bytes: int, budget: Budget | None = None
) -> Unpacked | None:
    """Unpack the documents in an archive, as files in `folder`; return None for a file that is a document itself.

    An archive is a zip, a tar (packed by gzip or bzip2 or not), or a single file that is packed so.

    max_bytes: the most that a document may have. budget: shared with other archives. To be called in a child of the
    sandbox, as all that inflates.

    Raises:
      TaskError: archive_bomb, corrupt; too_large for too many members; and where no member can be read the error that
        all have in common, or else unsupported_format.
    """
    named = named_format(filename, content_type)
    if (named is not None and not named.is_text) or not _is_archive(Path(path)):
        return None
    unpacking = _Unpacking(Path(folder), max_bytes, budget or Budget())
    unpacking.archive(Path(path), filename, "", 1)
    contents = unpacking.unpacked
    if not contents.members:
        raise unpacking.nothing()
    contents.warnings = shorten(contents.warnings)
    return contents


class _Unpacking:
    """Inflates members until there are too many, within one budget for all archives."""

    def __init__(self, folder: Path, max_bytes: int, budget: Budget) -> None:
        self.unpacked = Unpacked()
        self._folder = folder
        self._max_bytes = max_bytes
        self._budget = budget
        self._codes: set[str] = set()

    def archive(self, path: Path, filename: str | None, above: str, depth: int) -> None:
        """Inflate the members of an archive; `above` is what their names begin with."""
        for entry in _entries(path, filename, self._max_bytes):
            name = _safe(entry.name)
            if not _LEFT_BEHIND.search(name):
                try:
                    self._member(entry, above + name, depth)
                except TaskError as error:
                    if error.code == "archive_bomb" or (error.code == "too_large" and self._is_full):
                        raise
                    self._skip(above + name, error)

    def nothing(self) -> TaskError:
        """Return why none of the members is read."""
        code = next(iter(self._codes)) if len(self._codes) == 1 else "unsupported_format"
        if not self._codes:
            return TaskError("empty", "the archive holds no documents")
        reasons = "; ".join(self.unpacked.warnings[:3])
        return TaskError(code, f"no member of the archive can be read: {reasons}")

    @property
    def _is_full(self) -> bool:
        return len(self.unpacked.members) >= MAX_DOCUMENTS

    def _member(self, entry: Entry, name: str, depth: int) -> None:
        if entry.size > self._max_bytes:
            raise TaskError("too_large", f"it has {entry.size:,} bytes, more than {self._max_bytes:,}")
        self._budget.spend(entry.size)
        data = entry.read()
        if not data:
            raise TaskError("empty", "it has no content")
        file = self._folder / str(len(self.unpacked.members))
        file.write_bytes(data)
        if named_format(name, None) is None and _is_archive(file):
            self._inner(file, name, depth)
            return
        format_of_head(data[:HEAD], name)  # which refuses what has no reader
        if self._is_full:
            raise TaskError("too_large", f"the archive holds more than {MAX_DOCUMENTS:,} documents")
        self.unpacked.members.append(Member(name, str(file)))

    def _inner(self, file: Path, name: str, depth: int) -> None:
        if depth >= DEEPEST:
            raise TaskError("unsupported_format", f"it is an archive more than {DEEPEST} archives deep")
        inner = file.with_suffix(f".{depth}")
        shutil.move(file, inner)
        try:
            self.archive(inner, PurePosixPath(name).name, f"{name}/", depth + 1)
        finally:
            inner.unlink()

    def _skip(self, name: str, error: TaskError) -> None:
        self._codes.add(error.code)
        self.unpacked.warnings.append(f"{name} was not read: {error}")


def _is_archive(path: Path) -> bool:
    """Return whether a file is an archive, and no document that comes as one. Raises what `zip_format` does."""
    kind = kind_of_file(path)
    return kind is not None and (kind != "zip" or zip_format(path) is ZIP)


def _entries(path: Path, filename: str | None, max_bytes: int) -> Iterator[Entry]:
    if kind_of_file(path) != "zip":
        yield from tar.entries(path, filename, max_bytes)
        return
    with Archive(path) as archive:
        for info, name in _named(list(archive.members.values())):
            if not info.is_dir():
                yield Entry(name, info.file_size, partial(archive.read, info.filename))


def _named(infos: list[zipfile.ZipInfo]) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """Yield the members with their names as they were meant.

    Names that say nothing of their encoding are in that of the system that wrote them, which is found out from all.
    """
    raw = [info.orig_filename.encode("cp437") for info in infos if not info.flag_bits & _UTF8]
    try:
        encoding = decode(b"\n".join(raw)).encoding if raw else "utf-8"
    except TaskError:
        encoding = "cp437"
    for info in infos:
        if info.flag_bits & _UTF8:
            name = info.filename
        else:
            name = _unicode_path(info) or info.orig_filename.encode("cp437").decode(encoding, "replace")
        yield info, name


def _unicode_path(info: zipfile.ZipInfo) -> str | None:
    """Return the name of a member as some programs repeat it in UTF-8, unless it was renamed since."""
    at, extra = 0, info.extra
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == _UNICODE_PATH and size > 5 and at + 4 + size <= len(extra):
            version, crc = struct.unpack_from("<BI", extra, at + 4)
            if version == 1 and crc == zlib.crc32(info.orig_filename.encode("cp437")):
                return bytes(extra[at + 9 : at + 4 + size]).decode("utf-8", "replace")
        at += 4 + size
    return None


def _safe(name: str) -> str:
    """Return a name without a folder above, a drive or an empty part."""
    parts = PurePosixPath(name.replace("\\", "/").replace("\0", "")).parts
    return "/".join(part for part in parts if part not in ("/", "..", ".")) or "document"
