"""The elements of a page: which are blocks and which are no text, what one says, and the rows of a table."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

#: Elements without text of the page.
SKIPPED = frozenset(
    (
        *("head", "script", "style", "noscript", "template", "nav", "svg", "iframe", "object"),
        *("embed", "canvas", "audio", "video", "select", "button", "datalist", "dialog", "map"),
    )
)
#: Elements that begin a line of their own.
BLOCKS = frozenset(
    (
        *("html", "body", "address", "article", "aside", "blockquote", "center", "dd", "details", "dialog"),
        *("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr"),
        *("legend", "main", "p", "section", "summary", "table", "tbody", "thead", "tfoot", "tr", "td", "th"),
        *("caption", "ul", "ol", "menu", "li", "h1", "h2", "h3", "h4", "h5", "h6", "pre"),
    )
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
#: Letters and digits of what stands before a title, such as Chapter 7, XXVIII, Appendix A or 第七章.
_LABEL = re.compile(r"\D{0,10}\d{1,8}\D?|[ivxlc]{1,8}|(?:chapter|part|book|section|appendix)\w{0,8}|第\w{1,6}")
SPACES = re.compile(r"[ \t\n\r\f]+")


def letters_of(text: str) -> str:
    """The letters and digits of a text, by which two ways to set one title are alike."""
    return "".join(filter(str.isalnum, text.casefold()))


def is_title(line: str, title: str) -> bool:
    """Whether a line shows a title, where one of the two may have a label before it, such as the chapter's number."""
    one, other = sorted((letters_of(line), letters_of(title)), key=len)
    if one == other:
        return bool(one)
    return bool(one) and other.endswith(one) and _LABEL.fullmatch(other.removesuffix(one)) is not None


def text_of(node: LexborNode) -> str:
    """The text of an element in one line."""
    parts: list[str] = []
    for part in node.traverse(include_text=True):
        if part.is_text_node:
            if part.parent is None or part.parent.tag not in ("script", "style"):
                parts.append(part.text_content or "")
        elif part.tag in BLOCKS or part.tag == "br":
            parts.append(" ")
    return SPACES.sub(" ", "".join(parts)).strip()


def data_table(table: LexborNode) -> list[list[str]]:
    """The rows of a table that holds data; none for one that merely lays out the page."""
    if table.css_first("table table, h1, h2, h3, h4, pre, ul ul") is not None:
        return []
    rows = []
    covered: list[int] = []  # of each column, how many of the next rows a cell from above reaches into
    for row in table.css("tr"):
        cells = _cells(row, covered)
        if any(cells):
            rows.append(cells)
    return rows if rows and max(map(len, rows)) > 1 else []


def _cells(row: LexborNode, covered: list[int]) -> list[str]:
    """The texts of a row's cells, each in its column; nothing in columns that another cell covers."""
    cells: list[str] = []
    below = [max(count - 1, 0) for count in covered]
    cell = row.child
    while cell is not None:
        if cell.tag in ("td", "th"):
            while len(cells) < len(covered) and covered[len(cells)]:
                cells.append("")
            width, height = min(max(number_of(cell, "colspan", 1), 1), 50), number_of(cell, "rowspan", 1)
            below += [0] * (len(cells) + width - len(below))
            below[len(cells) : len(cells) + width] = [max(height - 1, 0)] * width
            cells += [text_of(cell), *[""] * (width - 1)]
        cell = cell.next
    covered[:] = below
    return cells


def number_of(node: LexborNode, attribute: str, default: int) -> int:
    value = node.attributes.get(attribute) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else default
