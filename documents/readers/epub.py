"""EPUB: the pages of an e-book in the order in which they are read, each as a page of HTML."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from documents.archive import Archive
from documents.decoding import decode
from documents.readers.html import declared_encoding, opened, write_page
from documents.readers.office_xml import children_of, name_of, parse
from documents.text import Extracted, Writer
from errors import TaskError

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
#: Fonts may be made unusable outside of the book; that hides no text.
_OBFUSCATION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
#: A document type that defines nothing itself, as the packages of old e-books have.
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*>")
_PROPERTIES = {"title": "title", "creator": "author", "subject": "subject", "date": "created", "language": "language"}


@dataclass(frozen=True, slots=True)
class _Item:
    """A file of the book, as its manifest describes it."""

    part: str
    media: str
    marks: str


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read an e-book; `encoding` is used for pages that name none themselves.

    Raises:
      TaskError: corrupt, encrypted, archive_bomb, undecodable, too_large.
    """
    with Archive(path) as archive:
        _refuse_protection(archive)
        part = _package(archive)
        package = parse(_DOCTYPE.sub(b"", archive.read(part)), part)
        items = _items(package, posixpath.dirname(part))
        writer = Writer()
        warnings: dict[str, None] = {}
        for reference in children_of(package, "spine"):
            item = items.get(reference.get("idref") or "")
            if item is None or item.media not in _PAGES or "nav" in item.marks.split():
                continue
            if item.part not in archive:
                raise TaskError("corrupt", f"the e-book lacks its page {item.part}")
            data = archive.read(item.part)
            decoded = decode(data, declared_encoding(data) or encoding)
            warnings.update(dict.fromkeys(f"{posixpath.basename(item.part)}: {each}" for each in decoded.warnings))
            write_page(opened(decoded.text), writer)
        return writer.finish("epub", warnings=list(warnings), properties=_properties(package))


def _package(archive: Archive) -> str:
    """The name of the part that lists the others."""
    data = archive.read(_CONTAINER)
    if data:
        for file in parse(_DOCTYPE.sub(b"", data), _CONTAINER).iter("{*}rootfile"):
            part = unquote(file.get("full-path") or "")
            if part in archive:
                return part
    part = next((name for name in archive.members if name.endswith(".opf")), "")
    if not part:
        raise TaskError("corrupt", "the e-book lacks the part that lists its pages")
    return part


def _items(package: etree._Element, folder: str) -> dict[str, _Item]:
    items = {}
    for item in children_of(package, "manifest"):
        part = posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))
        media = (item.get("media-type") or "").strip().lower()
        items[item.get("id") or ""] = _Item(part, media, item.get("properties") or "")
    return items


def _properties(package: etree._Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in children_of(package, "metadata"):
        name = _PROPERTIES.get(name_of(item))
        if name and (text := " ".join((item.text or "").split())):
            found.setdefault(name, text)
    return found


def _refuse_protection(archive: Archive) -> None:
    """Refuse a book whose pages are encrypted by a shop.

    Raises:
      TaskError: encrypted.
    """
    if data := archive.read(_ENCRYPTION):
        for method in parse(data, _ENCRYPTION).iterfind(".//{*}EncryptedData/{*}EncryptionMethod"):
            if method.get("Algorithm") not in _OBFUSCATION:
                raise TaskError("encrypted", "the e-book's pages are encrypted, as shops do against copying")
