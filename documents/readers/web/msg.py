"""Mails of Outlook: made mails as others write them, and read as those are. The format is MS-OXMSG."""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from pathlib import Path

from documents.readers.shared.code_pages import encoding_of_page
from documents.readers.shared.compound import Storage, read_compound
from documents.readers.web.eml import write_mail
from documents.reading.decoding import decode
from documents.text import Extracted

#: Properties by their numbers (MS-OXPROPS): what a mail's headers say, its text, and what an attachment is.
_SUBJECT, _BODY, _HTML, _RTF = 0x0037, 0x1000, 0x1013, 0x1009
_TO, _CC = 0x0E04, 0x0E03
_SENDERS = ((0x0C1A, 0x5D01), (0x0C1A, 0x0C1F), (0x0042, 0x5D02), (0x0042, 0x0065))
_SENT, _DELIVERED = 0x0039, 0x0E06
_CODE_PAGE, _CODE_PAGE_OF_HTML = 0x3FFD, 0x3FDE
_DATA, _LONG_NAME, _NAME, _TYPE, _METHOD, _MAIL = 0x3701, 0x3707, 0x3704, 0x370E, 0x3705, 0x3701
_EMBEDDED = 5
#: Bytes before the properties of fixed length: of a mail, of one in another, of an attachment.
_HEAD_OF_MAIL, _HEAD_OF_INNER, _HEAD_OF_ATTACHMENT = 32, 24, 8
_FIXED = "__properties_version1.0"
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
#: Mails in mails, beyond which eml.py does not read on.
_DEEPEST = 6
#: What compressed RTF begins with, as MS-OXRTFCP has it.
_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" b"\r\n" rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)  # fmt: skip
_WINDOW = 4096


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a mail of Outlook; `encoding` is used for texts that name none themselves.

    Raises:
      TaskError: corrupt, undecodable, too_large.
    """
    mail = _mail(_Properties(read_compound(path.read_bytes()), _HEAD_OF_MAIL), 0)
    return write_mail(mail, "msg", encoding)


@dataclass(slots=True)
class _Properties:
    """The properties of a mail or an attachment; `head` is where those of fixed length begin."""

    storage: Storage
    head: int

    def number(self, property: int) -> int | None:
        """Return a property of fixed length; None where it is not there."""
        data = self.storage.streams.get(_FIXED, b"")
        for at in range(self.head, len(data) - 15, 16):
            if struct.unpack_from("<H", data, at + 2)[0] == property:
                return int.from_bytes(data[at + 8 : at + 16], "little")
        return None

    def bytes(self, property: int) -> bytes:
        return self.storage.streams.get(f"__substg1.0_{property:04X}0102", b"")

    def text(self, property: int) -> str:
        """Return a text, in Unicode or in the mail's code page."""
        if (data := self.storage.streams.get(f"__substg1.0_{property:04X}001F")) is not None:
            return data.decode("utf-16-le", "replace").rstrip("\0")
        data = self.storage.streams.get(f"__substg1.0_{property:04X}001E", b"").rstrip(b"\0")
        page = (self.number(_CODE_PAGE) or 0) & 0xFFFF
        return decode(data, encoding_of_page(page)).text


def _mail(properties: _Properties, depth: int) -> Message:
    mail = Message()
    sender = next(
        (pair for name, address in _SENDERS if any(pair := (properties.text(name), properties.text(address)))), ("", "")
    )
    said = {
        "From": _address(*sender),
        "To": properties.text(_TO),
        "Cc": properties.text(_CC),
        "Subject": properties.text(_SUBJECT),
    }
    said["Date"] = _time(properties.number(_SENT) or properties.number(_DELIVERED) or 0)
    for name, value in said.items():
        if value := " ".join(value.split()):
            mail[name] = value
    mail["Content-Type"] = "multipart/mixed"
    parts = [_body(properties)]
    for name, storage in sorted(properties.storage.storages.items()):
        if name.startswith("__attach"):
            parts.append(_attachment(_Properties(storage, _HEAD_OF_ATTACHMENT), depth))
    mail.set_payload([part for part in parts if part is not None])
    return mail


def _address(name: str, address: str) -> str:
    """Write who sent a mail; an address within Exchange is no address to anybody else."""
    if "@" not in address or address == name:
        return name
    return f"{name} <{address}>" if name else address


def _time(ticks: int) -> str:
    """Write a time that is counted in tenths of a microsecond since 1601, as mails have it."""
    try:
        return format_datetime(datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)) if ticks else ""
    except OverflowError:
        return ""


def _body(properties: _Properties) -> Message | None:
    """Return the text of a mail: plain before HTML before RTF."""
    if (text := properties.text(_BODY)).strip():
        return _part("text/plain", text.encode(), "utf-8")
    if (page := properties.text(_HTML)).strip():
        return _part("text/html", page.encode(), "utf-8")
    if data := properties.bytes(_HTML):
        return _part("text/html", data, encoding_of_page((properties.number(_CODE_PAGE_OF_HTML) or 0) & 0xFFFF))
    if data := properties.bytes(_RTF):
        return _named(_part("application/rtf", inflated(data)), "text.rtf")
    return None


def _attachment(properties: _Properties, depth: int) -> Message | None:
    name = properties.text(_LONG_NAME) or properties.text(_NAME)
    inner = properties.storage.storages.get(f"__substg1.0_{_MAIL:04X}000D")
    if inner is not None and (properties.number(_METHOD) or 0) & 0xFF == _EMBEDDED:
        if depth >= _DEEPEST:
            return None
        part = Message()
        part["Content-Type"] = "message/rfc822"
        part.set_payload([_mail(_Properties(inner, _HEAD_OF_INNER), depth + 1)])
        return part
    kind = properties.text(_TYPE).strip().lower()
    data = properties.bytes(_DATA)
    # A mail or parts of one, as a file: these are bytes like any others here, and the name says what they are.
    if not _MEDIA_TYPE.fullmatch(kind) or kind.startswith(("message/", "multipart/")):
        kind = "application/octet-stream"
    return _named(_part(kind, data), name or "attachment")


def _part(kind: str, data: bytes, charset: str | None = None) -> Message:
    part = Message()
    part["Content-Type"] = f'{kind}; charset="{charset}"' if charset else kind
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(base64.b64encode(data).decode())
    return part


def _named(part: Message, name: str) -> Message:
    part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", name.rstrip("\0")))
    return part


def inflated(data: bytes) -> bytes:
    """Decompress RTF of Outlook (MS-OXRTFCP). Of data that is cut off, return what can be decompressed."""
    if len(data) < 16:
        return b""
    size, kind = struct.unpack_from("<4xI4s", data)
    if kind == b"MELA":
        return data[16 : 16 + size]
    window = bytearray(_DICTIONARY.ljust(_WINDOW, b" "))
    place, at, result = len(_DICTIONARY), 16, bytearray()
    while at < len(data) and len(result) < size:
        flags, at = data[at], at + 1
        for bit in range(8):
            if not flags >> bit & 1:
                piece, at = data[at : at + 1], at + 1
            else:
                reference = int.from_bytes(data[at : at + 2], "big")
                start, at = reference >> 4, at + 2
                if start == place or at > len(data):
                    return bytes(result)
                piece = b""
                for step in range((reference & 15) + 2):
                    byte = window[(start + step) % _WINDOW]
                    piece += bytes([byte])
                    window[(place + step) % _WINDOW] = byte
            for byte in piece:
                window[place] = byte
                place = (place + 1) % _WINDOW
            result += piece
    return bytes(result[:size])
