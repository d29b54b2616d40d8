"""Compound files, which hold streams in storages as a disk holds files in folders: MS-CFB, of old office programs."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from errors import TaskError

_HEADER, _ENTRY = 512, 128
_FREE = 0xFFFFFFFA  # and above: no sector's number
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_NONE = 0xFFFFFFFF


@dataclass(slots=True)
class Storage:
    """What lies in a storage: streams, and further storages, by their names."""

    streams: dict[str, bytes] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)


def read_compound(data: bytes) -> Storage:
    """Return all that a compound file holds.

    Raises:
      TaskError: corrupt.
    """
    try:
        return _File(data).root()
    except (struct.error, IndexError, ValueError, UnicodeDecodeError) as error:
        raise TaskError("corrupt", f"the file's streams cannot be found: {error}") from error


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int


class _File:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._read = 0  # bytes in the sectors of all streams, each of which belongs to one
        sector_bits, mini_bits = struct.unpack_from("<HH", data, 30)
        if sector_bits not in (9, 12) or mini_bits != 6:
            raise ValueError("its sectors have no known size")
        self._size, self._mini_size = 1 << sector_bits, 1 << mini_bits
        directory, self._cutoff = struct.unpack_from("<I4xI", data, 48)
        minis, _, more, _ = struct.unpack_from("<4I", data, 60)
        self._table = self._numbers(b"".join(map(self._sector, self._table_sectors(more))))
        raw = b"".join(map(self._sector, self._chain(directory, self._table)))
        self._entries = [_entry(raw, at) for at in range(0, len(raw) - _ENTRY + 1, _ENTRY)]
        self._mini_table = self._numbers(b"".join(map(self._sector, self._chain(minis, self._table))))
        first = self._entries[0]
        self._minis = b"".join(map(self._sector, self._chain(first.start, self._table, first.size, self._size)))[
            : first.size
        ]

    def root(self) -> Storage:
        """Read every entry once, however they refer to each other."""
        root = Storage()
        seen: set[int] = set()
        stack = [(root, self._entries[0].child)]
        while stack:
            storage, number = stack.pop()
            if number == _NONE or number in seen:
                continue
            seen.add(number)
            entry = self._entries[number]
            stack += [(storage, entry.left), (storage, entry.right)]
            if entry.kind == _STREAM:
                storage.streams[entry.name] = self._stream(entry)
            elif entry.kind == _STORAGE:
                storage.storages[entry.name] = Storage()
                stack.append((storage.storages[entry.name], entry.child))
        return root

    def _stream(self, entry: _Entry) -> bytes:
        if entry.size == 0:
            return b""
        is_mini = entry.size < self._cutoff
        size, table = (self._mini_size, self._mini_table) if is_mini else (self._size, self._table)
        chain = list(self._chain(entry.start, table, entry.size, size))
        self._read += len(chain) * size
        if self._read > len(self._data) + self._size:  # the last sector may be cut short
            raise ValueError("its streams hold more than the file")
        pieces = (self._minis[at * size : (at + 1) * size] for at in chain) if is_mini else map(self._sector, chain)
        return b"".join(pieces)[: entry.size]

    def _table_sectors(self, more: int) -> Iterator[int]:
        """Yield the sectors of the allocation table: the header names the first 109, further sectors the others."""
        numbers: Sequence[int] = struct.unpack_from("<109I", self._data, 76)
        seen: set[int] = set()
        while True:
            for number in numbers:
                if number < _FREE:
                    _require_new(number, seen)
                    yield number
            if more >= _FREE:
                return
            _require_new(more, seen)
            *numbers, more = self._numbers(self._sector(more))

    def _chain(self, number: int, table: array[int], size: int | None = None, sector: int = 1) -> Iterator[int]:
        """Yield the sectors that follow each other from one on: all, or those that `size` bytes need."""
        left = len(table) if size is None else -(-size // sector)
        seen: set[int] = set()
        while number < _FREE and left > 0:
            _require_new(number, seen)
            left -= 1
            yield number
            number = table[number]

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._size
        if start >= len(self._data):
            raise ValueError("it ends early")
        return self._data[start : start + self._size]

    def _numbers(self, data: bytes) -> array[int]:
        return array("I", struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))


def _require_new(number: int, seen: set[int]) -> None:
    if number in seen:
        raise ValueError("its sectors follow each other in a circle")
    seen.add(number)


def _entry(raw: bytes, at: int) -> _Entry:
    length, kind = struct.unpack_from("<HB", raw, at + 64)
    name = raw[at : at + min(max(length - 2, 0), 62)].decode("utf-16-le", "replace")
    left, right, child = struct.unpack_from("<3I", raw, at + 68)
    start, size = struct.unpack_from("<II", raw, at + 116)
    return _Entry(name, kind, left, right, child, start, size)
