"""The elements of a page: which are blocks and which are no text, what one says, and the rows of a table."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

from documents.text import require_length

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
#: Columns that cells may cover; beyond these each cell is one column wide and one row high. Rows: as in browsers.
_MOST_COLUMNS, _MOST_ROWS = 1000, 65_534
SPACES = re.compile(r"[ \t\n\r\f]+")


def letters_of(text: str) -> str:
    """Return the letters and digits of a text, by which two ways to set one title are alike."""
    return "".join(filter(str.isalnum, text.casefold()))


def is_title(line: str, title: str) -> bool:
    """Return whether a line shows a title; one of the two may have a label before it, such as the chapter's number."""
    one, other = sorted((letters_of(line), letters_of(title)), key=len)
    if one == other:
        return bool(one)
    return bool(one) and other.endswith(one) and _LABEL.fullmatch(other.removesuffix(one)) is not None


def text_of(node: LexborNode) -> str:
    """Return the text of an element in one line."""
    parts: list[str] = []
    for part in node.traverse(include_text=True):
        if part.is_text_node:
            if part.parent is None or part.parent.tag not in ("script", "style"):
                parts.append(part.text_content or "")
        elif part.tag in BLOCKS or part.tag == "br":
            parts.append(" ")
    return SPACES.sub(" ", "".join(parts)).strip()


def data_table(table: LexborNode) -> list[list[str]]:
    """Return the rows of a table that holds data; none for one that merely lays out the page.

    Raises:
      TaskError: too_large; before a few cells that cover many make more of them than can be written.
    """
    if table.css_first("table table, h1, h2, h3, h4, pre, ul ul") is not None:
        return []
    rows = []
    covered: list[int] = []  # of each column, the first row that no cell from above reaches into
    group, count = None, 0
    for number, row in enumerate(table.css("tr")):
        if row.parent is not None and row.parent.mem_id != group:
            group = row.parent.mem_id
            covered.clear()  # no cell reaches from one group of rows into the next
        cells = _cells(row, number, covered)
        if any(cells):
            rows.append(cells)
            count += len(cells)
            require_length(count * len(" | "))
    return rows if rows and max(map(len, rows)) > 1 else []


def _cells(row: LexborNode, number: int, covered: list[int]) -> list[str]:
    """Return the texts of a row's cells, each in its column; nothing in columns that another cell covers."""
    cells: list[str] = []
    cell = row.child
    while cell is not None:
        if cell.tag in ("td", "th"):
            while len(cells) < len(covered) and covered[len(cells)] > number:
                cells.append("")
            width = min(max(number_of(cell, "colspan", 1), 1), 50, max(_MOST_COLUMNS - len(cells), 1))
            height = number_of(cell, "rowspan", 1) or _MOST_ROWS  # 0 is until the last of its group
            covered += [0] * (len(cells) + width - len(covered))
            covered[len(cells) : len(cells) + width] = [number + height] * width
            cells += [text_of(cell), *[""] * (width - 1)]
        cell = cell.next
    del covered[_MOST_COLUMNS:]
    return cells


def number_of(node: LexborNode, attribute: str, default: int) -> int:
    value = node.attributes.get(attribute) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else default
