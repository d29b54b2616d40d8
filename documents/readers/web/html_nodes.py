"""The elements of a page: which are blocks and which are no text, what one says, and the rows of a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from selectolax.lexbor import LexborNode

from documents.text import repeated, require_length

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
_CJK = "\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
#: The end of a line of the source between two Chinese characters, which a browser shows as nothing.
_CJK_LINE_END = re.compile(
    f"(?<=[{_CJK}])[ \t\r\f]*\n[ \t\n\r\f]*(?=[{_CJK}“‘…—])|(?<=[”’…—])[ \t\r\f]*\n[ \t\n\r\f]*(?=[{_CJK}])"
)
#: What tables lay out, besides tables; and what the cells of a data table may hold, if it is no more than this share of
#: them that holds it together with more than so many characters.
_LAYING_OUT = "h1, h2, h3, h4, pre, ul ul"
_MOST_LARGE, _LARGE = 0.25, 300
#: Tables within a table of data, those within them included.
_MOST_INNER_TABLES = 8


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
    return squeezed("".join(parts)).strip()


def squeezed(text: str) -> str:
    """Write white space as a browser shows it."""
    if not text.isascii():
        text = _CJK_LINE_END.sub("", text)
    return SPACES.sub(" ", text)


def own_or_above(node: LexborNode | None, tags: Collection[str]) -> bool:
    """Return whether an element, or one that it lies in, is one of these."""
    while node is not None and node.tag not in tags:
        node = node.parent
    return node is not None


def data_table(table: LexborNode) -> list[list[str]]:
    """Return the rows of a table that holds data; none for one that merely lays out the page.

    Raises:
      TaskError: too_large; before a few cells that cover many make more of them than can be written.
    """
    inner = len(table.css("table")) - 1
    is_plain = inner == 0 and table.css_first(_LAYING_OUT) is None
    if inner > _MOST_INNER_TABLES:
        return []
    rows: list[list[str]] = []
    covered: list[tuple[int, str]] = []  # of each column, the first row that no cell from above reaches into, its text
    group, length = None, 0
    filled = large = 0
    for number, row in enumerate(_rows_of(table)):
        if row.parent is not None and row.parent.mem_id != group:
            group = row.parent.mem_id
            covered.clear()  # no cell reaches from one group of rows into the next
        own = [(cell, text_of(cell)) for cell in _cells_of(row)]
        cells = _cells(own, number, covered)
        if any(text for _, text in own):
            rows.append(cells)
            length += sum(map(len, cells)) + len(cells) * len(" | ")
            require_length(length)
            filled += sum(1 for _, text in own if text)
            if not is_plain:
                large += sum(1 for cell, text in own if len(text) > _LARGE and _lays_out(cell))
    if not rows or max(map(len, rows)) < 2:
        return []
    if not is_plain and (large > _MOST_LARGE * filled or sum(1 for row in rows if sum(map(bool, row)) > 1) < 2):
        return []
    return rows


def _lays_out(cell: LexborNode) -> bool:
    return cell.css_first("table") is not None or cell.css_first(_LAYING_OUT) is not None


def _rows_of(table: LexborNode) -> Iterator[LexborNode]:
    for part in _children(table):
        if part.tag == "tr":
            yield part
        elif part.tag in ("thead", "tbody", "tfoot"):
            yield from (row for row in _children(part) if row.tag == "tr")


def _cells_of(row: LexborNode) -> Iterator[LexborNode]:
    return (cell for cell in _children(row) if cell.tag in ("td", "th"))


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.child
    while child is not None:
        yield child
        child = child.next


def _cells(own: list[tuple[LexborNode, str]], number: int, covered: list[tuple[int, str]]) -> list[str]:
    """Return the texts of a row's cells, each in its column; what reaches into further rows stands in them again."""
    cells: list[str] = []
    for cell, text in own:
        while len(cells) < len(covered) and covered[len(cells)][0] > number:
            cells.append(covered[len(cells)][1])
        width = min(max(number_of(cell, "colspan", 1), 1), 50, max(_MOST_COLUMNS - len(cells), 1))
        height = number_of(cell, "rowspan", 1) or _MOST_ROWS  # 0 is until the last of its group
        covered += [(0, "")] * (len(cells) + width - len(covered))
        texts = [text, *[""] * (width - 1)]
        covered[len(cells) : len(cells) + width] = [(number + height, repeated(text)) for text in texts]
        cells += texts
    cells += [text for until, text in covered[len(cells) :] if until > number]
    del covered[_MOST_COLUMNS:]
    return cells


def number_of(node: LexborNode, attribute: str, default: int) -> int:
    value = node.attributes.get(attribute) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else default
