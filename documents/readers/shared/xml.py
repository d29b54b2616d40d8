"""The XML inside office documents, read without entities, external files or faith in its namespaces."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from documents.reading.archive import Archive
from errors import TaskError

#: What a parser is never allowed, since it reads what strangers wrote.
_CAREFUL = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
_PARSER = etree.XMLParser(**_CAREFUL, collect_ids=False)
#: Properties of a document, by the names that they have in its XML.
_PROPERTIES = {
    **{name: name for name in ("title", "subject", "created", "modified", "keywords", "language")},
    "creator": "author",
}


def parse(data: bytes, part: str) -> etree._Element:
    """Parse a small part as a tree, without entities, external files or a document type.

    Raises:
      TaskError: corrupt.
    """
    refuse_doctype(data, part)
    try:
        return etree.fromstring(data, _PARSER)
    except etree.XMLSyntaxError as error:
        raise _broken(part, error) from error


def stream(data: bytes, part: str, holder: str, above: str | None = None) -> Iterator[etree._Element]:
    """Yield what the first element called `holder` holds, one after another, each forgotten after use.

    above: the name of what the holder itself stands in, where others are called the same.

    The tree of a large part takes ten times its bytes; this one is never built.

    Raises:
      TaskError: corrupt.
    """
    refuse_doctype(data, part)
    events = etree.iterparse(
        io.BytesIO(data), events=("start", "end"), remove_comments=True, remove_pis=True, **_CAREFUL
    )
    within: etree._Element | None = None
    try:
        for event, element in events:
            if event == "start":
                if within is None and name_of(element) == holder and above in (None, _above(element)):
                    within = element
            elif within is not None and element.getparent() is within:
                yield element
                element.clear(keep_tail=False)
                while element.getprevious() is not None:
                    del within[0]
    except etree.XMLSyntaxError as error:
        raise _broken(part, error) from error
    if within is None:
        raise TaskError("corrupt", f"the part {part} of the document has no {holder}")


def _above(element: etree._Element) -> str:
    parent = element.getparent()
    return name_of(parent) if parent is not None else ""


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: the kind is the last word of the relation's type, the target a part's name."""

    kind: str
    target: str


def relations(archive: Archive, part: str = "") -> dict[str, Relation]:
    """Return the relations of a part, or of the whole document, by their ids."""
    folder, name = posixpath.split(part)
    file = posixpath.join(folder, "_rels", f"{name}.rels")
    data = archive.read(file)
    by_id = {}
    for relation in parse(data, file) if data else ():
        if relation.get("TargetMode") != "External":
            kind = (relation.get("Type") or "").rpartition("/")[2]
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target") or "")).lstrip("/")
            by_id[relation.get("Id") or ""] = Relation(kind, target)
    return by_id


def main_part(archive: Archive, usual: str) -> str:
    """Return the name of the part that the document begins with."""
    named = (relation.target for relation in relations(archive).values() if relation.kind == "officeDocument")
    return next(named, usual)


def properties_of(archive: Archive) -> dict[str, str]:
    """Return title, author and the like, as the document's own properties name them."""
    data = archive.read("docProps/core.xml")
    if not data:
        return {}
    properties = {name_of(item): (item.text or "").strip() for item in parse(data, "docProps/core.xml")}
    return {_PROPERTIES[name]: text for name, text in properties.items() if name in _PROPERTIES and text}


def name_of(element: etree._Element) -> str:
    """Return the tag without its namespace: Office writes two editions of it. A comment has none."""
    return _local(element.tag)


@lru_cache(maxsize=1024)
def _local(tag: object) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def value_of(element: etree._Element | None, attribute: str = "val") -> str | None:
    """Return an attribute in any namespace, or in none."""
    if element is None:
        return None
    for name, value in element.attrib.items():
        if name.rpartition("}")[2] == attribute:
            return str(value)
    return None


def reference_of(element: etree._Element, attribute: str = "id") -> str:
    """Return an attribute that names a relation; others may have the same name without a namespace."""
    return next((value for name, value in element.attrib.items() if name.endswith("}" + attribute)), "")


def child_of(element: etree._Element | None, *path: str) -> etree._Element | None:
    """Return the first descendant along a path of tags, or None."""
    for tag in path:
        for child in element if element is not None else ():
            if _local(child.tag) == tag:
                element = child
                break
        else:
            return None
    return element


def children_of(element: etree._Element | None, *path: str) -> Iterator[etree._Element]:
    """Yield what the first descendant along a path of tags holds; nothing where there is none."""
    child = child_of(element, *path)
    yield from child if child is not None else ()


def refuse_doctype(data: bytes, part: str) -> None:
    """Refuse a part that could define entities, before the parser sees it.

    Raises:
      TaskError: corrupt.
    """
    head = data[:4096]
    if b"\x00" in head:  # in UTF-16
        head = head.replace(b"\x00", b"")
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise TaskError(
            "corrupt", f"the part {part} of the document has a document type, which no office program writes"
        )


def _broken(part: str, error: etree.XMLSyntaxError) -> TaskError:
    """Return what the submitter is told of XML that does not parse."""
    return TaskError("corrupt", f"the part {part} of the document is no valid XML: {error}")
