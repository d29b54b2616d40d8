"""EPUB: the pages of an e-book in the order in which they are read, each as HTML, with headings by its contents too."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from documents.readers.shared.pictures import pictures_in, write_pictures
from documents.readers.shared.xml import children_of, name_of, parse
from documents.readers.web.epub_contents import Contents, Levels, control_file, navigation, places_of
from documents.readers.web.html import declared_encoding, opened, tree_of, write_tree
from documents.reading.archive import Archive
from documents.reading.decoding import decode
from documents.text import Extracted, Writer
from errors import TaskError

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_CONTROL_FILE = "application/x-dtbncx+xml"
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
    is_navigation: bool


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read an e-book; `encoding` is used for pages that name none themselves.

    Raises:
      TaskError: corrupt, encrypted, archive_bomb, undecodable, needs_ocr, too_large.
    """
    with Archive(path) as archive:
        _refuse_protection(archive)
        part = _package(archive)
        package = parse(_DOCTYPE.sub(b"", archive.read(part)), part)
        items = _items(package, posixpath.dirname(part))
        reader = _Reader(archive, encoding)
        contents = reader.contents(items.values())
        pages = [(part, reader.page(part)) for part in _spine(package, items)]
        writer = _written(pages, contents)
        warnings = list(reader.warnings)
        if not writer.length:
            warnings += write_pictures("e-book", pictures_in(archive, _pictures(pages)), writer)
    return writer.finish("epub", warnings=warnings, properties=_properties(package))


def _written(pages: list[tuple[str, str]], contents: Contents) -> Writer:
    """Write the text of pages, which are the names of their parts and HTML."""

    @cache
    def levels() -> Levels:
        """Return the levels, which cost a parse of each page: wanted when a page lacks a heading, and few books do."""
        led_to = ((tree_of(page), contents[part]) for part, page in pages if part in contents)
        return Levels(place for tree, entries in led_to for place in places_of(tree, entries))

    writer = Writer()
    for part, page in pages:
        tree = tree_of(page)
        places = places_of(tree, contents.get(part, []))
        is_whole = all(place.own is not None for place in places)
        write_tree(tree, writer, None if is_whole else levels().titles(places))
    return writer


def _pictures(pages: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the parts of the pictures on pages in their order."""
    for page, html in pages:
        for image in tree_of(html).css("img, image"):
            attributes = image.attributes
            target = attributes.get("src") or attributes.get("xlink:href") or attributes.get("href") or ""
            yield posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(target)))


class _Reader:
    """Takes the pages of a book out of its archive."""

    def __init__(self, archive: Archive, encoding: str | None) -> None:
        self.warnings: dict[str, None] = {}
        self._archive = archive
        self._encoding = encoding

    def page(self, part: str) -> str:
        """Return a page as HTML."""
        if part not in self._archive:
            raise TaskError("corrupt", f"the e-book lacks its page {part}")
        data = self._archive.read(part)
        decoded = decode(data, declared_encoding(data) or self._encoding)
        self.warnings.update(dict.fromkeys(f"{posixpath.basename(part)}: {warning}" for warning in decoded.warnings))
        return opened(decoded.text)

    def contents(self, items: Iterable[_Item]) -> Contents:
        """Read the table of contents: the newer one that has any lines. A book can be read without."""
        contents: Contents = {}
        for item in sorted(items, key=lambda item: not item.is_navigation):
            folder = posixpath.dirname(item.part)
            try:
                if contents or item.part not in self._archive:
                    continue
                if item.is_navigation:
                    contents = navigation(tree_of(self.page(item.part)), folder)
                elif item.media == _CONTROL_FILE or item.part.endswith(".ncx"):
                    contents = control_file(parse(_DOCTYPE.sub(b"", self._archive.read(item.part)), item.part), folder)
            except TaskError as error:
                if error.code not in ("corrupt", "undecodable"):
                    raise
                self.warnings[f"the table of contents was not read: {error}"] = None
        return contents


def _package(archive: Archive) -> str:
    """Return the name of the part that lists the others."""
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
        items[item.get("id") or ""] = _Item(part, media, "nav" in (item.get("properties") or "").split())
    return items


def _spine(package: etree._Element, items: dict[str, _Item]) -> dict[str, None]:
    """Return the parts of the book's pages in the order of reading, each once however often it is listed."""
    listed = (items.get(reference.get("idref") or "") for reference in children_of(package, "spine"))
    return dict.fromkeys(item.part for item in listed if item and item.media in _PAGES and not item.is_navigation)


def _properties(package: etree._Element) -> dict[str, str]:
    properties: dict[str, str] = {}
    for item in children_of(package, "metadata"):
        name = _PROPERTIES.get(name_of(item))
        if name and (text := " ".join((item.text or "").split())):
            properties.setdefault(name, text)
    return properties


def _refuse_protection(archive: Archive) -> None:
    """Refuse a book whose pages are encrypted by a shop.

    Raises:
      TaskError: encrypted.
    """
    if data := archive.read(_ENCRYPTION):
        for method in parse(data, _ENCRYPTION).iterfind(".//{*}EncryptedData/{*}EncryptionMethod"):
            if method.get("Algorithm") not in _OBFUSCATION:
                raise TaskError("encrypted", "the e-book's pages are encrypted, as shops do against copying")
