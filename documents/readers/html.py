"""HTML: headings, lists, tables and code as Markdown, without what a reader of the page does not read."""

from __future__ import annotations

import re
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from documents.decoding import decode
from documents.text import Extracted, Writer, table_lines

_SKIPPED = frozenset(
    [
        "head",
        "script",
        "style",
        "noscript",
        "template",
        "nav",
        "svg",
        "math",
        "iframe",
        "object",
        "embed",
        "canvas",
        "audio",
        "video",
        "select",
        "button",
        "datalist",
        "dialog",
        "map",
    ]
)
_BLOCKS = frozenset(
    [
        "html",
        "body",
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hgroup",
        "hr",
        "legend",
        "main",
        "p",
        "section",
        "summary",
        "table",
        "tbody",
        "thead",
        "tfoot",
        "tr",
        "td",
        "th",
        "caption",
        "ul",
        "ol",
        "menu",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "pre",
    ]
)
_PROPERTIES = {"author": "author", "description": "subject", "keywords": "keywords"}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = frozenset(("ul", "ol", "menu"))
_META = re.compile(rb"<meta[^>]+?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^>]+?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_META_WITHIN = 4096
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_CLOSED_AT_ONCE = re.compile(
    rf"<(?!(?:{_VOID})[\s/])([A-Za-z][\w:-]*)((?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*/>"
)
_SPACES = re.compile(r"[ \t\n\r\f]+")
_DEEPEST_LIST = 12


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a page; `encoding` is the one its HTTP header names, else the page's own `<meta>` counts.

    Raises:
      TaskError: undecodable, too_large.
    """
    data = path.read_bytes()
    decoded = decode(data, encoding or declared_encoding(data))
    writer = Writer()
    properties = write_page(decoded.text, writer)
    return writer.finish("html", encoding=decoded.encoding, warnings=decoded.warnings, properties=properties)


def write_page(page: str, writer: Writer) -> dict[str, str]:
    """Write what a page shows; its title and its other properties are returned and not written."""
    if page.lstrip().startswith("<?xml"):
        page = opened(page)
    tree = LexborHTMLParser(page)
    if tree.root is not None:
        _Walk(writer).down(tree.root)
    title, root = tree.css_first("head > title"), tree.css_first("html")
    found = {"title": title.text() if title is not None else ""}
    found["language"] = (root.attributes.get("lang") or "") if root is not None else ""
    for name, property in _PROPERTIES.items():
        if (meta := tree.css_first(f"head > meta[name='{name}' i]")) is not None:
            found[property] = meta.attributes.get("content") or ""
    return {name: " ".join(value.split()) for name, value in found.items() if value.strip()}


def opened(page: str) -> str:
    """XHTML as HTML reads it, to which `<title/>` only opens a title that then swallows the rest."""
    return _CLOSED_AT_ONCE.sub(lambda match: f"<{match.group(1)}{match.group(2)}></{match.group(1)}>", page)


def declared_encoding(data: bytes) -> str | None:
    """The encoding that a page names itself, if any."""
    match = _XML.match(data) or _META.search(data, 0, _META_WITHIN)
    name = match.group(1).decode("ascii") if match else None
    # A page whose <meta> can be read as ASCII is not in UTF-16, whatever it says.
    return "utf-8" if name and name.lower().startswith("utf-16") else name


class _Walk:
    """Goes through the tree without recursion: a page may be nested deeper than Python's stack."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._inline: list[str] = []
        self._lists: list[int | None] = []  # the number of the last item, None in a bulleted list
        self._label = ""
        self._tight = False

    def down(self, root: LexborNode) -> None:
        node: LexborNode | None = root
        while node is not None:
            below = self._enter(node)
            if below and node.child is not None:
                node = node.child
                continue
            if below:
                self._leave(node)
            while node is not None and node.next is None:
                if node.mem_id == root.mem_id:
                    node = None
                    break
                node = node.parent
                if node is not None:
                    self._leave(node)
            if node is None or node.mem_id == root.mem_id:
                break
            node = node.next
        self._flush()

    def _enter(self, node: LexborNode) -> bool:
        """Take note of a node; False when what is below it has been dealt with."""
        if node.is_text_node:
            self._inline.append(node.text_content or "")
            return False
        tag = node.tag or ""
        if tag in _SKIPPED or not node.is_element_node or "hidden" in node.attributes:
            return False
        if tag == "br":
            self._inline.append("\v")
        elif tag == "img":
            return False
        elif tag in _BLOCKS:
            return self._enter_block(node, tag)
        return True

    def _enter_block(self, node: LexborNode, tag: str) -> bool:
        self._flush()
        if tag in _HEADINGS:
            level = _HEADINGS[tag]
            self.writer.heading(_text_of(node).removesuffix("¶"), level, "#" * level + " ")
            return False
        if tag == "pre":
            self._code(node)
            return False
        if tag == "table" and (rows := _data_table(node)):
            if (caption := node.css_first("caption")) is not None:
                self.writer.block(_text_of(caption))
            self.writer.block(table_lines(rows), "table")
            return False
        if tag in _LISTS:
            self._lists.append(_number(node, "start", 1) - 1 if tag == "ol" else None)
            self._tight = len(self._lists) > 1
        elif tag == "li":
            self._label = self._next_label()
        elif tag == "dd":
            self._tight = True
        return True

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag not in _BLOCKS:
            return
        self._flush()
        if tag in _LISTS and self._lists:
            self._lists.pop()
            self._tight = bool(self._lists)
        elif tag == "li":
            self._label = ""
            self._tight = True

    def _next_label(self) -> str:
        depth = min(len(self._lists), _DEEPEST_LIST)
        indent = "  " * max(depth - 1, 0)
        if self._lists and (number := self._lists[-1]) is not None:
            self._lists[-1] = number + 1
            return f"{indent}{number + 1}. "
        return f"{indent}- "

    def _flush(self) -> None:
        if not self._inline:
            return
        text = _squeeze("".join(self._inline))
        self._inline = []
        if not text:
            return
        tight, self._tight = self._tight, False
        if self._lists and not self._label:
            self._label = "  " * min(len(self._lists), _DEEPEST_LIST)
        self.writer.block(self._label + text, tight=tight)
        self._tight = bool(self._lists)
        self._label = ""

    def _code(self, node: LexborNode) -> None:
        self.writer.code(node.text() or "")


def _squeeze(text: str) -> str:
    """White space as a browser shows it; `\\v` stands for a forced line end."""
    lines = (_SPACES.sub(" ", line).strip(" ") for line in text.split("\v"))
    return "\n".join(lines).strip("\n")


def _text_of(node: LexborNode) -> str:
    parts: list[str] = []
    for part in node.traverse(include_text=True):
        if part.is_text_node:
            if part.parent is None or part.parent.tag not in ("script", "style"):
                parts.append(part.text_content or "")
        elif part.tag in _BLOCKS or part.tag == "br":
            parts.append(" ")
    return _SPACES.sub(" ", "".join(parts)).strip()


def _data_table(table: LexborNode) -> list[list[str]]:
    """The rows of a table that holds data; none for one that merely lays out the page."""
    if table.css_first("table table, h1, h2, h3, h4, pre, ul ul") is not None:
        return []
    rows = []
    for row in table.css("tr"):
        cells: list[str] = []
        cell = row.child
        while cell is not None:
            if cell.tag in ("td", "th"):
                cells.append(_text_of(cell))
                cells.extend([""] * (min(_number(cell, "colspan", 1), 50) - 1))
            cell = cell.next
        if any(cells):
            rows.append(cells)
    return rows if rows and max(map(len, rows)) > 1 else []


def _number(node: LexborNode, attribute: str, default: int) -> int:
    value = node.attributes.get(attribute) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else default
