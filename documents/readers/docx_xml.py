"""Word's XML, read without entities, external files or faith in its namespaces."""

from __future__ import annotations

from lxml import etree

from errors import TaskError


def parse(data: bytes, part: str) -> etree._Element:
    """A small part as a tree, without entities, external files or a document type.

    Raises:
      TaskError: corrupt.
    """
    refuse_doctype(data, part)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise broken(part, error) from error


def name_of(element: etree._Element) -> str:
    """The tag without its namespace: Word writes two editions of it. A comment has none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def value_of(element: etree._Element | None, attribute: str = "val") -> str | None:
    """An attribute of Word's, in either edition of the namespace."""
    if element is None:
        return None
    for name, value in element.attrib.items():
        if name.rpartition("}")[2] == attribute:
            return str(value)
    return None


def child_of(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first descendant along a path of tags, or None."""
    for tag in path:
        if element is None:
            return None
        element = next((child for child in element if name_of(child) == tag), None)
    return element


def refuse_doctype(data: bytes, part: str) -> None:
    """Refuse a part that could define entities, before the parser sees it.

    Raises:
      TaskError: corrupt.
    """
    head = data[:4096].replace(b"\x00", b"")
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise TaskError("corrupt", f"the part {part} of the document has a document type, which Word never writes")


def broken(part: str, error: etree.XMLSyntaxError) -> TaskError:
    """What the submitter is told of XML that does not parse."""
    return TaskError("corrupt", f"the part {part} of the document is no valid XML: {error}")
