"""HTML: headings, lists, tables and code as Markdown, without what a reader of the page does not read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from documents.readers.shared.numerals import numeral
from documents.readers.web.html_boilerplate import without_boilerplate
from documents.readers.web.html_depth import shallow
from documents.readers.web.html_nodes import (
    BLOCKS,
    HEADINGS,
    SKIPPED,
    data_table,
    is_title,
    letters_of,
    number_of,
    squeezed,
    text_of,
)
from documents.readers.web.mathml import write_formulas
from documents.reading.decoding import decode
from documents.text import Anchor, Extracted, Writer, clean, table_lines

_PROPERTIES = {"author": "author", "description": "subject", "keywords": "keywords"}
_NUMERALS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
#: What a reference to a note says it is, to readers of e-books and to those who hear a page; what the others look like.
_NOTE_REFERENCES = frozenset(("noteref", "doc-noteref"))
_MARK = re.compile(r"(?:n(?:ote)? ?)?\d{1,4}|[*†‡§]{1,4}|[a-z]{1,2}|[ivxl]{1,6}")
_AROUND_MARKS = "[]()^↩↑\ufe0e\ufe0f "
_LISTS = frozenset(("ul", "ol", "menu"))
_META = re.compile(rb"<meta[^<>]+?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^>]+?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]+)", re.IGNORECASE)
#: Where a page says its encoding: in its head, which may begin with long scripts, styles and comments.
_META_WITHIN = 64 * 1024
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_CLOSED_AT_ONCE = re.compile(
    rf"<(?!(?:{_VOID})[\s/])([A-Za-z][\w:-]*)((?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*/>"
)
_DEEPEST_LIST = 12
#: What a wiki has behind its headings.
_EDIT = re.compile(r" ?\[ ?(?:编辑|編輯|edit|bearbeiten|modifier|編集)[^\[\]]{0,20}\]$", re.IGNORECASE)
#: What stands between a title and the text that goes on in its paragraph.
_RUN_IN = re.compile(r"[^\S\n]*(?:[.:。：!?！？)）—–]|\n)")


@dataclass(frozen=True, slots=True)
class Title:
    """A title that a page is given from outside. is_shown: whether the page shows it itself, as a mere paragraph."""

    text: str
    level: int
    is_shown: bool = False


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
    """Write what a page says; its title and its other properties are returned and not written."""
    tree = tree_of(page)
    without_boilerplate(tree)
    write_tree(tree, writer)
    title, root = tree.css_first("head > title"), tree.css_first("html")
    properties = {"title": title.text() if title is not None else ""}
    properties["language"] = (root.attributes.get("lang") or "") if root is not None else ""
    for name, property in _PROPERTIES.items():
        if (meta := tree.css_first(f"head > meta[name='{name}' i]")) is not None:
            properties[property] = meta.attributes.get("content") or ""
    return {name: " ".join(value.split()) for name, value in properties.items() if value.strip()}


def tree_of(page: str) -> LexborHTMLParser:
    """Parse a page as a tree, its formulas as text; XHTML too."""
    tree = LexborHTMLParser(shallow(opened(page) if page.lstrip().startswith("<?xml") else page))
    write_formulas(tree)
    return tree


def write_tree(tree: LexborHTMLParser, writer: Writer, titles: Mapping[int, list[Title]] | None = None) -> None:
    """Write what a page shows; `titles` are written where the nodes begin that they are given for, by `mem_id`."""
    if tree.root is not None:
        _Walk(writer, titles or {}).down(tree.root)


def opened(page: str) -> str:
    """Write XHTML as HTML reads it, to which `<title/>` only opens a title that then swallows the rest."""
    return _CLOSED_AT_ONCE.sub(lambda match: f"<{match.group(1)}{match.group(2)}></{match.group(1)}>", page)


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that a page names itself, if any."""
    match = _XML.match(data) or _META.search(data, 0, _META_WITHIN)
    name = match.group(1).decode("ascii") if match else None
    # A page whose <meta> can be read as ASCII is not in UTF-16, whatever it says.
    return "utf-8" if name and name.lower().startswith("utf-16") else name


class _Walk:
    """Goes through the tree without recursion: a page may be nested deeper than Python's stack."""

    def __init__(self, writer: Writer, titles: Mapping[int, list[Title]]) -> None:
        self.writer = writer
        self._titles = titles
        self._due: list[Title] = []  # titles that are to stand before the next block
        self._inline: list[str] = []
        self._lists: list[tuple[int | None, str]] = []  # the number of the last item, None for bullets, and its format
        self._notes: dict[str, str] = {}  # the labels of notes that were referred to, by the ids of their elements
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
        if node.mem_id in self._titles:
            if tag in BLOCKS:
                self._flush()
            self._due += self._titles[node.mem_id]
        if tag in SKIPPED or not node.is_element_node or "hidden" in node.attributes:
            return False
        if tag == "br":
            self._inline.append("\v")
        elif tag == "img" or (tag == "a" and self._is_note_mark(node)):
            return False
        elif tag in BLOCKS:
            return self._enter_block(node, tag)
        return True

    def _enter_block(self, node: LexborNode, tag: str) -> bool:
        self._flush()
        if tag in HEADINGS:
            if title := _EDIT.sub("", text_of(node)).removesuffix("¶"):
                self._announce(self._due)
                self._announce([Title(title, HEADINGS[tag])])
            return False
        if tag == "pre":
            self._code(node)
            return False
        if tag == "table" and (rows := data_table(node)):
            self._announce(self._due)
            if (caption := node.css_first("caption")) is not None:
                self.writer.block(text_of(caption))
            self.writer.block(table_lines(rows), "table")
            return False
        if tag in _LISTS:
            first = number_of(node, "start", 1) - 1 if tag == "ol" else None
            self._lists.append((first, _NUMERALS.get(node.attributes.get("type") or "", "")))
            self._tight = len(self._lists) > 1
        elif tag == "li":
            self._label = self._next_label(number_of(node, "value", -1))
        elif tag == "dd":
            self._tight = True
        if self._notes and (note := self._notes.get(node.attributes.get("id") or "")) is not None:
            self._label = f"[^{note}]: "
        return True

    def _is_note_mark(self, link: LexborNode) -> bool:
        """Write a link that refers to a note, or opens one, as Markdown marks notes; False for other links.

        Nothing is written for what leads back from a note.
        """
        attributes = link.attributes
        target = (attributes.get("href") or "").partition("#")[2]
        note = self._notes.get(attributes.get("id") or "")
        is_raised = "sup" in (_tag(link.parent), _tag(link.child))
        is_reference = _NOTE_REFERENCES & {attributes.get("epub:type"), attributes.get("role")}
        in_note = self._label.startswith("[^")
        if note is None and not (target and (is_raised or is_reference or in_note)):
            return False
        mark = text_of(link).strip(_AROUND_MARKS)
        if note is not None and mark in ("", note) and not "".join(self._inline).strip():
            self._inline.append("" if in_note else f"[^{note}]: ")
            return True
        if in_note and mark in ("", self._label[2:-3]):
            return True
        if not mark or not target or not (is_reference or (is_raised and _MARK.fullmatch(mark))):
            return False
        self._inline.append(f"[^{mark}]")
        self._notes[target] = mark
        return True

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag not in BLOCKS:
            return
        self._flush()
        if tag in _LISTS and self._lists:
            self._lists.pop()
            self._tight = bool(self._lists)
        elif tag == "li":
            self._label = ""
            self._tight = True

    def _next_label(self, number: int) -> str:
        """Return the label of a list's item, with its own number unless that is below 0."""
        depth = min(len(self._lists), _DEEPEST_LIST)
        indent = "  " * max(depth - 1, 0)
        last, format = self._lists[-1] if self._lists else (None, "")
        if last is not None:
            number = number if number >= 0 else last + 1
            self._lists[-1] = number, format
            return f"{indent}{numeral(number, format)}. "
        return f"{indent}- "

    def _flush(self) -> None:
        if not self._inline:
            return
        text = _squeeze("".join(self._inline))
        self._inline = []
        if not text:
            return
        if self._due and self._is_title(text):
            return
        tight, self._tight = self._tight, False
        if self._lists and not self._label:
            self._label = "  " * min(len(self._lists), _DEEPEST_LIST)
        self.writer.block(self._label + text, tight=tight)
        self._tight = bool(self._lists)
        self._label = ""

    def _code(self, node: LexborNode) -> None:
        self._announce(self._due)
        self.writer.code(node.text() or "")

    def _announce(self, titles: list[Title]) -> None:
        """Write titles as headings."""
        for title in titles:
            self.writer.heading(title.text, title.level, "#" * max(title.level, 1) + " ")
            self._tight = False
        self._due = []

    def _is_title(self, text: str) -> bool:
        """Write the titles that are due before a block; True when the block is itself the last one, and written."""
        *others, last = self._due
        self._announce(others)
        text, _ = clean(text)
        is_all = is_title(text, last.text)
        if self._label or not (is_all or last.is_shown):
            self._announce([last])
            return False
        end = len(text) if is_all else _end_of(last.text, text)
        if end < len(text):  # the text goes on in the same paragraph
            self._tight = False
            if _RUN_IN.match(text, end) is None:
                self._announce([last])
                return False
            place = self.writer.next_block()
            self.writer.anchors.append(Anchor(place, "heading", place + end, level=last.level, title=last.text))
            return False
        mark = "#" * max(last.level, 1) + " "
        self.writer.block(mark + text, "heading", level=last.level, title=last.text)
        self._tight = False
        return True


def _tag(node: LexborNode | None) -> str | None:
    return node.tag if node is not None else None


def _squeeze(text: str) -> str:
    """Write white space as a browser shows it; `\v` stands for a forced line end."""
    lines = (squeezed(line).strip(" ") for line in text.split("\v"))
    return "\n".join(lines).strip("\n")


def _end_of(title: str, text: str) -> int:
    """Return where the letters of a title end with which a text begins; the text's end where only signs follow."""
    left = len(letters_of(title))
    for end, sign in enumerate(text, 1):
        left -= len(letters_of(sign))
        if left <= 0:
            return end if letters_of(text[end:]) else len(text)
    return len(text)
