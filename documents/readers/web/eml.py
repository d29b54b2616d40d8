"""Mail: its headers, its text (plain before HTML), and its attachments, each read by the reader of its own format.

Of an archive that is attached, each member is read as if it were attached itself.
"""

from __future__ import annotations

import re
import tempfile
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePath

from documents.readers.web.html import declared_encoding, write_page
from documents.reading.archive import kind_of_file
from documents.reading.decoding import decode
from documents.reading.unpacking import Budget, Unpacked, unpack
from documents.text import Extracted, Writer
from errors import TaskError

_SHOWN = ("From", "To", "Cc", "Date")
_MAILS = ("message/rfc822", "message/global")
#: How deep mails may lie in mails or in archives, and how many attachments are read of one mail with all that it holds.
_DEEPEST = 4
_MOST_ATTACHMENTS = 100
#: Bytes of a member of an archive: as many as MAX_DOCUMENT_BYTES allows a document at first.
_LARGEST_MEMBER = 100 * 1024 * 1024
#: How a mail that was saved as text in UTF-16 begins, and the transfer encodings that leave a text as it is.
_MARKS = {BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16"}
_AS_IT_IS = ("7bit", "8bit", "binary", "")
_FOLDED = re.compile(r"\r?\n[ \t]+")


@dataclass(slots=True)
class _Bounds:
    """What the mails in a mail may still use up together."""

    depth: int = 0
    attachments: int = 0
    inflated: Budget = field(default_factory=Budget)

    def refusal(self) -> str | None:
        """Return why nothing more is read, if so."""
        if self.depth > _DEEPEST:
            return f"it lies more than {_DEEPEST} mails or archives deep"
        if self.attachments >= _MOST_ATTACHMENTS:
            return f"there are more than {_MOST_ATTACHMENTS} attachments"
        return None


_BOUNDS: ContextVar[_Bounds | None] = ContextVar("bounds", default=None)


@dataclass(slots=True)
class _Content:
    """The parts of a mail, sorted by what is done with them."""

    texts: list[Message] = field(default_factory=list)
    attachments: list[Message] = field(default_factory=list)


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a mail; `encoding` is used for texts that name none themselves.

    An attachment that cannot be read is told of in the warnings, with the reason, and the mail is read without it.

    Raises:
      TaskError: corrupt, undecodable, too_large.
    """
    data, as_saved = _readable(path.read_bytes())
    mail: Message = BytesParser(policy=compat32).parsebytes(data)
    if not mail.keys():
        raise TaskError("corrupt", "the mail does not begin with a header")
    return write_mail(mail, "eml", encoding, as_saved)


def write_mail(mail: Message, format: str, encoding: str | None, as_saved: str | None = None) -> Extracted:
    """Write a mail with its attachments. as_saved: what its texts are in that were not made fit for the way.

    Raises:
      TaskError: undecodable, too_large.
    """
    writer, warnings = Writer(), list[str]()
    subject = _header(mail, "Subject")
    if subject:
        writer.block(f"Subject: {subject}", "heading", level=0, title=subject)
    for name in _SHOWN:
        if value := _header(mail, name):
            writer.block(f"{name}: {value}", tight=True)
    content = _Content()
    _sort(mail, content)
    for part in content.texts:
        is_saved_so = as_saved and part.get("Content-Transfer-Encoding", "8bit").strip().lower() in _AS_IT_IS
        _write_text(part, writer, warnings, encoding, as_saved if is_saved_so else None)
    bounds = _BOUNDS.get() or _Bounds()
    token = _BOUNDS.set(bounds)
    attachments = _Attachments(writer, warnings, bounds)
    try:
        with attachments.deeper():
            for part in content.attachments:
                attachments.add(part)
    finally:
        _BOUNDS.reset(token)
    facts = {"title": subject, "author": _header(mail, "From"), "created": _sent(mail)}
    properties = {name: value for name, value in facts.items() if value}
    return writer.finish(format, warnings=warnings, properties=properties)


def _sent(mail: Message) -> str:
    """Return when a mail was sent, as ISO 8601 has it; nothing where its header says no time."""
    try:
        return parsedate_to_datetime(_header(mail, "Date")).isoformat()
    except (ValueError, TypeError, OverflowError, IndexError):  # of a library that trusts its input
        return ""


def _sort(part: Message, content: _Content) -> None:
    """Find the texts and the attachments; of alternatives the plain text counts, or else the HTML."""
    stack = [part]
    while stack:
        part = stack.pop()
        kind = part.get_content_type()
        if part.is_multipart() and kind not in _MAILS:
            parts = [child for child in part.get_payload() if isinstance(child, Message)]
            stack.extend(reversed(_chosen(parts) if kind == "multipart/alternative" else parts))
        elif kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
            content.texts.append(part)
        else:
            content.attachments.append(part)


def _chosen(parts: list[Message]) -> list[Message]:
    """Choose which of several editions of one text is read."""
    plain = [part for part in parts if part.get_content_type() == "text/plain" and _payload(part).strip()]
    return plain[:1] or parts[-1:]


def _readable(data: bytes) -> tuple[bytes, str | None]:
    """Return a mail that was saved as text in UTF-16, as UTF-8, and the name of that; of other mails None."""
    if data.startswith(BOM_UTF8):
        return data.removeprefix(BOM_UTF8), "utf-8"
    codec = next((codec for mark, codec in _MARKS.items() if data.startswith(mark)), None)
    if codec is None and b"\0" in data[:2]:
        codec = "utf-16-be" if data[0] == 0 else "utf-16-le"
    if codec is None:
        return data, None
    return data.decode(codec, "replace").encode("utf-8", "replace"), "utf-8"


def _write_text(part: Message, writer: Writer, warnings: list[str], encoding: str | None, as_saved: str | None) -> None:
    """Write a text of a mail. as_saved: what its bytes are in, whatever its headers say."""
    data = _payload(part)
    if not data.strip():
        return
    charset = as_saved or part.get_content_charset() or encoding
    if part.get_content_type() == "text/html":
        decoded = decode(data, charset or declared_encoding(data))
        write_page(decoded.text, writer)
    else:
        decoded = decode(data, charset)
        writer.block(decoded.text.replace("\r\n", "\n"))
    warnings += decoded.warnings


class _Attachments:
    """Writes attachments under their names; what one lacks to be read is a warning."""

    def __init__(self, writer: Writer, warnings: list[str], bounds: _Bounds) -> None:
        self._writer = writer
        self._warnings = warnings
        self._bounds = bounds

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Count what is read within as one mail or one archive deeper."""
        self._bounds.depth += 1
        try:
            yield
        finally:
            self._bounds.depth -= 1

    def add(self, part: Message) -> None:
        """Write an attachment."""
        if not (data := _payload(part)):
            return
        kind = None if part.get_content_type() == "application/octet-stream" else part.get_content_type()
        with tempfile.TemporaryDirectory(prefix="mail") as folder:
            path = Path(folder) / "attachment"
            path.write_bytes(data)
            self._file(path, _filename(part), kind)

    def _file(self, path: Path, name: str, kind: str | None) -> None:
        from documents.reading import extraction  # which imports the readers, this one among them

        if (refusal := self._bounds.refusal()) is not None:
            self._warnings.append(f"the attachment {name} was not read: {refusal}")
            return
        try:
            if (unpacked := self._unpacked(path, name, kind)) is not None:
                self._members(unpacked, name)
                return
            self._bounds.attachments += 1
            extracted = extraction.extract(path, filename=name, content_type=kind)
        except TaskError as error:
            self._warnings.append(f"the attachment {name} was not read: {error}")
            self._writer.block(f"Attachment: {name}")
            return
        self._writer.heading(f"Attachment: {name}", 1)
        self._warnings += [f"{name}: {warning}" for warning in extracted.warnings]
        _append(extracted, self._writer)

    def _unpacked(self, path: Path, name: str, kind: str | None) -> Unpacked | None:
        """Return the documents of an archive, beside it; None for what is a document itself."""
        if kind_of_file(path) is None:
            return None
        folder = path.with_suffix(".members")
        folder.mkdir()
        return unpack(str(path), name, kind, str(folder), _LARGEST_MEMBER, self._bounds.inflated)

    def _members(self, unpacked: Unpacked, name: str) -> None:
        self._warnings += [f"{name}: {warning}" for warning in unpacked.warnings]
        with self.deeper():
            for number, member in enumerate(unpacked.members):
                if (refusal := self._bounds.refusal()) is not None:
                    left = len(unpacked.members) - number
                    self._warnings.append(f"{name}: the last {left} of its documents were not read: {refusal}")
                    return
                self._file(Path(member.file), f"{name}/{member.name}", None)


def _append(extracted: Extracted, writer: Writer) -> None:
    """Write a text that was read already, its headings below that of its name; its pages are not the mail's."""
    text = extracted.text.strip("\n")
    left = len(extracted.text) - len(extracted.text.lstrip("\n"))
    before = writer.length
    writer.block(text)
    shift = writer.length - len(text) - left
    if writer.length == before:
        return
    for anchor in extracted.anchors:
        if anchor.kind != "page":
            anchor.start = max(anchor.start + shift, shift + left)
            anchor.end = None if anchor.end is None else min(anchor.end + shift, writer.length)
            anchor.level = None if anchor.level is None else anchor.level + 1 + (extracted.format in ("eml", "msg"))
            writer.anchors.append(anchor)


def _payload(part: Message) -> bytes:
    """Return the bytes of a part, as they were before they were made fit for the way."""
    if part.get_content_type() in _MAILS:
        inner = [child for child in part.get_payload() if isinstance(child, Message)] if part.is_multipart() else []
        if len(inner) == 1 and not inner[0].keys():  # in base64, which no mail should be, and which hides its headers
            carrier = Message()
            carrier["Content-Transfer-Encoding"] = str(part.get("Content-Transfer-Encoding", "7bit"))
            carrier.set_payload(inner[0].get_payload())
            return _decoded_payload(carrier)
        return b"\n\n".join(child.as_bytes() for child in inner)
    return _decoded_payload(part)


def _decoded_payload(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _filename(part: Message) -> str:
    """Return the name of an attachment, without any folder; mails in mails are called by their subject."""
    name = _decoded(part.get_filename() or "")
    if not name and part.get_content_type() in _MAILS:
        inner = part.get_payload()
        if isinstance(inner, list) and isinstance(inner[0], Message):
            name = (_header(inner[0], "Subject").replace("/", " ") or "mail") + ".eml"
    return PurePath(name.replace("\\", "/")).name or part.get_content_type().replace("/", ".")


def _header(mail: Message, name: str) -> str:
    """Return a header's values as text in one line."""
    values = (_decoded(_FOLDED.sub(" ", value)) for key, value in mail.raw_items() if key.lower() == name.lower())
    return ", ".join(" ".join(value.split()) for value in values if value.strip())


def _decoded(value: str) -> str:
    """Decode a header's text: words that are encoded as RFC 2047 wants it, or bytes that are not ASCII all the same."""
    raw = value.encode("utf-8", "surrogateescape")
    if not raw.isascii():
        return decode(raw).text
    try:
        return "".join(_words(value))
    except (HeaderParseError, ValueError, TaskError):
        return value


def _words(value: str) -> Iterator[str]:
    for word, charset in decode_header(value):
        yield word if isinstance(word, str) else decode(word, charset).text if charset else word.decode("latin-1")
