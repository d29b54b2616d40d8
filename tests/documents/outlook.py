"""Mails of Outlook made by hand: properties in the streams of a compound file (MS-OXMSG in MS-CFB)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

SECTOR, MINI, CUTOFF = 512, 64, 4096
LAST, FREE, TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
#: Names with bytes, or with more of such.
Tree = Mapping[str, Any]


def compound(tree: Tree) -> bytes:
    """A compound file. Streams of less than 4,096 bytes lie in sectors of 64, as the format wants it."""
    entries: list[list[Any]] = [["Root Entry", 5, FREE, FREE, LAST, 0]]  # name, kind, right, child, start, size
    big, small = b"", b""
    big_chains: list[int] = []
    small_chains: list[int] = []

    def put(data: bytes) -> int:
        nonlocal big
        big += data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0")
        return _put(big_chains, data, SECTOR)

    def add(inner: Tree) -> int:
        nonlocal small
        numbers = []
        for name, content in inner.items():
            number = len(entries)
            numbers.append(number)
            if not isinstance(content, bytes):
                entries.append([name, 1, FREE, FREE, 0, 0])
                entries[number][3] = add(content)
            elif len(content) >= CUTOFF:
                entries.append([name, 2, FREE, FREE, put(content), len(content)])
            else:
                start = _put(small_chains, content, MINI) if content else LAST
                small += content.ljust(-(-len(content) // MINI) * MINI, b"\0")
                entries.append([name, 2, FREE, FREE, start, len(content)])
        for number, right in pairwise(numbers):
            entries[number][2] = right
        return numbers[0] if numbers else FREE

    entries[0][3] = add(tree)
    entries[0][4:] = [put(small) if small else LAST, len(small)]
    minis = put(struct.pack(f"<{len(small_chains)}I", *small_chains)) if small_chains else LAST
    directory = put(b"".join(_entry(*entry) for entry in entries))
    count = 1
    while count * SECTOR // 4 < len(big_chains) + count:
        count += 1
    first = len(big_chains)
    links = [*big_chains, *[TABLE] * count]
    table = struct.pack(f"<{len(links)}I", *links).ljust(count * SECTOR, b"\xff")
    head = struct.pack("<8s16xHHHHH6x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<9I", 0, count, directory, 0, CUTOFF, minis, int(minis != LAST), LAST, 0)
    named = [first + number for number in range(count)]
    return head + struct.pack("<109I", *named, *[FREE] * (109 - count)) + big + table


def _put(chains: list[int], data: bytes, size: int) -> int:
    """Note the sectors of a stream that is written next; return the first."""
    start, count = len(chains), -(-len(data) // size)
    chains += [*range(start + 1, start + count), LAST]
    return start


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    raw = name.encode("utf-16-le")
    links = struct.pack("<BBIII", kind, 1, FREE, right, child)
    return raw.ljust(64, b"\0") + struct.pack("<H", len(raw) + 2) + links + bytes(36) + struct.pack("<IQ", start, size)


def properties(head: int, fixed: Mapping[int, int], texts: Mapping[int, str | bytes], page: str | None = None) -> Tree:
    """The streams of a mail's or an attachment's properties, by their numbers; texts in Unicode, or in a code page."""
    streams: dict[str, Any] = {}
    for number, value in texts.items():
        if isinstance(value, bytes):
            streams[f"__substg1.0_{number:04X}0102"] = value
        elif page is None:
            streams[f"__substg1.0_{number:04X}001F"] = value.encode("utf-16-le")
        else:
            streams[f"__substg1.0_{number:04X}001E"] = value.encode(page) + b"\0"
    entries = b"".join(struct.pack("<HHIQ", 3, number, 6, value) for number, value in fixed.items())
    return {**streams, "__properties_version1.0": bytes(head) + entries}


def mail(
    texts: Mapping[int, str | bytes],
    attachments: Sequence[Tree] = (),
    fixed: Mapping[int, int] | None = None,
    page: str | None = None,
    head: int = 32,
) -> Tree:
    """A mail with attachments, as a tree of streams."""
    held = {f"__attach_version1.0_#{number:08X}": tree for number, tree in enumerate(attachments)}
    return {**properties(head, fixed or {}, texts, page), **held, "__nameid_version1.0": {"x": b"1"}}


def attachment(name: str, data: bytes, kind: str = "") -> Tree:
    return properties(8, {0x3705: 1}, {0x3707: name, 0x370E: kind, 0x3701: data})


def attached_mail(inner: Tree) -> Tree:
    """A mail that is attached to another; it must be made with a `head` of 24."""
    return {**properties(8, {0x3705: 5}, {}), "__substg1.0_3701000D": inner}
