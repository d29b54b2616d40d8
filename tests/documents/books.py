"""E-books and OpenDocument texts made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.documents.office import package

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
)


def page(body: str, title: str = "<title>T</title>") -> str:
    """A page of XHTML."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head>{title}</head><body>{body}</body></html>"
    )


def epub(
    pages: Mapping[str, str],
    spine: Sequence[str] | None = None,
    more: Mapping[str, str | bytes] | None = None,
    prolog: str = "",
) -> bytes:
    """An e-book with the given bodies as its pages; `spine` is the order in which they are read."""
    manifest = "".join(
        f'<item id="{name}" href="{name}" media-type="application/xhtml+xml" '
        f'properties="{"nav" if name.startswith("nav") else ""}"/>'
        for name in pages
    )
    order = "".join(f'<itemref idref="{name}"/>' for name in (spine or list(pages)))
    opf = (
        f'{prolog}<package xmlns="http://www.idpf.org/2007/opf"><metadata><title>The Book</title></metadata>'
        f"<manifest>{manifest}</manifest><spine>{order}</spine></package>"
    )
    files = {f"OEBPS/{name}": page(body) for name, body in pages.items()}
    fixed = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OEBPS/book.opf": opf}
    return package({**fixed, **files, **(more or {})})


_OPEN_DOCUMENT = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in {
        "office": "office",
        "text": "text",
        "table": "table",
        "style": "style",
        "draw": "drawing",
    }.items()
)


def odt(body: str, more: Mapping[str, str] | None = None, mimetype: str = "text") -> bytes:
    """An OpenDocument text with the given XML as its body; list style L1 is numbered, paragraph style P1 the title."""
    styles = (
        '<style:style style:name="P1" style:parent-style-name="Title"/>'
        '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"/>'
        '<text:list-level-style-bullet text:level="2"/></text:list-style>'
        "<style:x><text:text>no text</text:text></style:x>"
    )
    main = (
        f"<office:document-content {_OPEN_DOCUMENT}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    kind = f"application/vnd.oasis.opendocument.{mimetype}"
    return package({"mimetype": kind, "content.xml": main, **(more or {})})
