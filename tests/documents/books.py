"""E-books and OpenDocument texts made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

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
    """An e-book with the given bodies as its pages; `spine` is the order in which they are read.

    A page whose name begins with `nav` is the table of contents, as is `toc.ncx` of the other parts.
    """
    manifest = "".join(
        f'<item id="{name}" href="{name}" media-type="application/xhtml+xml" '
        f'properties="{"nav" if name.startswith("nav") else ""}"/>'
        for name in pages
    )
    manifest += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    order = "".join(f'<itemref idref="{name}"/>' for name in (spine or list(pages)))
    opf = (
        f'{prolog}<package xmlns="http://www.idpf.org/2007/opf"><metadata><title>The Book</title></metadata>'
        f"<manifest>{manifest}</manifest><spine>{order}</spine></package>"
    )
    files = {f"OEBPS/{name}": page(body) for name, body in pages.items()}
    fixed = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OEBPS/book.opf": opf}
    return package({**fixed, **files, **(more or {})})


#: A line of a table of contents: its title, where it leads (to nowhere for a mere caption), and the lines below it.
Line = tuple[str, str | None, "Sequence[Line]"]


def navigation(lines: Sequence[Line]) -> str:
    """The body of a page that is the table of contents of EPUB 3."""

    def listed(lines: Sequence[Line]) -> str:
        items = (
            (f'<a href="{escape(target)}">{escape(title)}</a>' if target else f"<span>{escape(title)}</span>")
            + (listed(below) if below else "")
            for title, target, below in lines
        )
        return "<ol>" + "".join(f"<li>{item}</li>" for item in items) + "</ol>"

    pages = '<nav epub:type="page-list"><ol><li><a href="a.xhtml">1</a></li></ol></nav>'
    return f'{pages}<nav epub:type="toc"><h2>Contents</h2>{listed(lines)}</nav>'


def control_file(lines: Sequence[Line]) -> str:
    """The table of contents of EPUB 2."""

    def points(lines: Sequence[Line]) -> str:
        return "".join(
            f"<navPoint><navLabel><text>{escape(title)}</text></navLabel>"
            + (f'<content src="{escape(target)}"/>' if target else "")
            + f"{points(below)}</navPoint>"
            for title, target, below in lines
        )

    doctype = '<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">'
    return f'{doctype}<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{points(lines)}</navMap></ncx>'


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


def odt(body: str, more: Mapping[str, str | bytes] | None = None, mimetype: str = "text", styles: str = "") -> bytes:
    """An OpenDocument text with the given XML as its body; list style L1 is numbered, paragraph style P1 the title."""
    styles += (
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
