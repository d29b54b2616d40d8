"""reStructuredText: titles, lists, literal blocks, directives and tables as Markdown, without what steers a build."""

from __future__ import annotations

import re
from pathlib import Path

from documents.readers.text.rst_tables import (
    GRID_BORDER,
    SIMPLE_BORDER,
    columns_of,
    csv_rows,
    grid_rows,
    list_rows,
    simple_rows,
    write_rows,
)
from documents.reading.decoding import decode
from documents.text import Extracted, Writer

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}$")
_EXPLICIT = re.compile(r"\.\.(?: +|$)")
_DIRECTIVE = re.compile(r"(?:\|[^|\n]{1,200}\| +)?([\w.+-]+(?::[\w.+-]+)*) ?::(?: +(.*))?$")
_NOTE = re.compile(r"\[[^\]\n]{1,200}\] ")
_ANONYMOUS = re.compile(r"__ ")
_OPTION = re.compile(r":([\w-]+):(?: +(.*))?$")
_ITEM = re.compile(r"(?:[*+•‣⁃-]|(?:\d{1,6}|[a-zA-Z#]|[ivxlcIVXLC]{1,9})[.)]|\((?:\d{1,6}|[a-zA-Z#])\)) +")
_SUBSTITUTION = re.compile(r"\.\. \|([^|\n]{1,200})\| replace:: (.+)$")
#: Literals, roles and links, substitutions, escapes, and the marks of references, each with what is shown of it.
_INLINE = re.compile(
    r"``(?P<literal>[^`](?:.{0,2000}?[^`])??)``|(?::[\w.+-]+(?::[\w.+-]+)*:)?`(?P<text>[^`]{1,2000})`_{0,2}"
    r"|\|(?P<name>[^|\s](?:[^|\n]{0,200}[^|\s])?)\|_{0,2}|\\(?P<escaped>.)|(?<=\])__?(?=[\s.,;:!?)]|$)"
    r"|(?<!\w)(?P<reference>[^\W_]{1,200}(?:[-._+:][^\W_]{1,200}){0,20})__?(?=[\s.,;:!?)'\"\]]|$)",
    re.DOTALL,
)
_TARGET = re.compile(r"\s*<[^<>]*>$")

#: Directives whose content stands as it is, and those that have nothing to read.
_CODE = frozenset(
    (
        *("code", "code-block", "sourcecode", "parsed-literal", "prompt", "doctest", "testcode", "testoutput"),
        *("ipython", "console", "productionlist"),
    )
)
_UNREAD = frozenset(
    (
        *("toctree", "contents", "index", "include", "literalinclude", "meta", "raw", "highlight", "module"),
        *("py:module", "currentmodule", "py:currentmodule", "default-role", "role", "default-domain", "sectnum"),
        *("header", "footer", "tabularcolumns", "testsetup", "testcleanup", "replace", "unicode", "date"),
    )
)
_ADMONITIONS = ("attention", "caution", "danger", "error", "hint", "important", "note", "tip", "warning")
_LABELS = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
    "seealso": "See also:",
    **{name: f"{name.capitalize()}:" for name in _ADMONITIONS},
}
#: Fields that say something of the document, by the names of its properties.
_PROPERTIES = {"author": "author", "authors": "author", "date": "date", "version": "version", "language": "language"}
#: What is nested deeper is written as it is.
_DEEPEST = 20


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a file of reStructuredText, with the directives of Sphinx. Comments and targets are left out.

    Raises:
      TaskError: undecodable, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    lines = [line.expandtabs(8).rstrip() for line in decoded.text.splitlines()]
    reading = _Reading({match[1]: match[2] for line in lines if (match := _SUBSTITUTION.match(line))})
    _Body(reading, lines).read()
    return reading.writer.finish(
        "rst", encoding=decoded.encoding, warnings=decoded.warnings, properties=reading.properties
    )


class _Reading:
    """What all bodies of a document share."""

    def __init__(self, substitutions: dict[str, str]) -> None:
        self.writer = Writer()
        self.properties: dict[str, str] = {}
        self._substitutions = substitutions
        self._styles: list[tuple[str, bool]] = []  # adornments in the order of their levels

    def heading(self, title: str, style: tuple[str, bool]) -> None:
        if style not in self._styles:
            self._styles.append(style)
        level = self._styles.index(style) + 1
        self.writer.heading(self.shown(title), level, "#" * min(level, 6) + " ")

    def shown(self, text: str) -> str:
        """Return a text as it is read: of links and roles what they show, substitutions carried out."""
        return _INLINE.sub(self._shown, text)

    def _shown(self, match: re.Match[str]) -> str:
        if match["literal"] is not None:
            return f"`{match['literal']}`"
        if match["text"] is not None:
            text = _TARGET.sub("", match["text"]) or match["text"].strip("<>")
            return text.rpartition(".")[2] if text.startswith("~") else text.removeprefix("!")
        if match["name"] is not None:
            return self._substitutions.get(match["name"], match.group())
        if match["reference"] is not None:
            return match["reference"]
        return "" if match["escaped"] is None or match["escaped"].isspace() else match["escaped"]


class _Body:
    """The lines of a document or of what is indented in one."""

    def __init__(self, reading: _Reading, lines: list[str], depth: int = 0) -> None:
        self._reading = reading
        self._writer = reading.writer
        self._lines = lines
        self._depth = depth
        self._at = 0
        self._paragraph: list[str] = []
        self._literal: int | None = None  # the column beyond which the next block is literal

    def read(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line:
                self._flush()
                self._at += 1
            elif self._paragraph and not _EXPLICIT.match(line.lstrip(" ")):
                self._paragraph.append(line)
                self._at += 1
            elif line[0] == " ":
                self._flush()
                self._indented()
            elif self._paragraph or not self._is_read(line):
                self._paragraph.append(line)
                self._at += 1
        self._flush()

    def _is_read(self, line: str) -> bool:
        """Read what is marked by how it begins; whether there is such."""
        self._literal = None
        if _EXPLICIT.match(line):
            self._explicit()
        elif GRID_BORDER.match(line):
            write_rows(self._writer, *self._shown(grid_rows(self._while("+|"))))
        elif SIMPLE_BORDER.match(line) and (end := self._end_of_simple()):
            lines, self._at = self._lines[self._at : end], end
            write_rows(self._writer, *self._shown(simple_rows(lines)))
        elif line.startswith(">>> "):
            self._writer.code("\n".join(self._until_blank()))
        elif line.startswith("| ") or line == "|":
            self._writer.block(self._reading.shown("\n".join(row[2:] for row in self._while("|"))))
        elif _ANONYMOUS.match(line):
            self._at += 1
        else:
            return self._is_title(line)
        return True

    def _is_title(self, line: str) -> bool:
        """Read a title with a line under it, or one above as well; or a mere line, which divides."""
        after, later = (self._lines[at] if at < len(self._lines) else "" for at in (self._at + 1, self._at + 2))
        adorned = _ADORNMENT.match(line)
        if adorned and after and later == line and not _ADORNMENT.match(after):
            return self._title(after.strip(), (line[0], True), 3)
        under = _ADORNMENT.match(after)
        if under and not adorned and (len(after) >= min(columns_of(line), 4)):
            return self._title(line, (after[0], False), 2)
        if adorned and not after:
            self._at += 1
            return True
        return False

    def _title(self, title: str, style: tuple[str, bool], lines: int) -> bool:
        self._at += lines
        if self._depth:  # directives hold no sections
            self._writer.block(self._reading.shown(title))
        else:
            self._reading.heading(title, style)
        return True

    def _flush(self) -> None:
        """Write the paragraph that is open, and remember whether it announces a literal block."""
        if not self._paragraph:
            return
        lines, self._paragraph = self._paragraph, []
        item = _ITEM.match(lines[0])
        if lines[-1].endswith("::"):
            self._literal = item.end() if item else 0
            lines[-1] = lines[-1].removesuffix("::").rstrip() if lines[-1].endswith(" ::") else lines[-1][:-1]
            lines = lines[:-1] if lines[-1] == ":" else lines
        for line in lines if not self._depth else ():
            if (match := _OPTION.match(line)) and match[2] and match[1].lower() in _PROPERTIES:
                self._reading.properties.setdefault(_PROPERTIES[match[1].lower()], self._reading.shown(match[2]))
        self._writer.block(self._reading.shown("\n".join(lines)))

    def _indented(self) -> None:
        """Read an indented block: a literal one where it was announced, else a body of its own."""
        literal, self._literal = self._literal, None
        if literal is not None and _column(self._lines[self._at]) > literal:
            self._writer.code("\n".join(self._block(literal)))
        else:
            self._inner(self._block())

    def _inner(self, lines: list[str]) -> None:
        if self._depth < _DEEPEST:
            _Body(self._reading, lines, self._depth + 1).read()
        else:
            self._writer.block("\n".join(lines))

    def _explicit(self) -> None:
        """Read a directive or a footnote; a comment, a target or the like is passed over."""
        first = _EXPLICIT.sub("", self._lines[self._at], count=1)
        self._at += 1
        block = self._block()
        if match := _DIRECTIVE.match(first):
            self._directive(match[1], match[2] or "", block)
        elif _NOTE.match(first):
            self._inner([first, *block])

    def _directive(self, name: str, argument: str, block: list[str]) -> None:
        options: dict[str, str] = {}
        while block and (match := _OPTION.match(block[0])):
            options[match[1]] = match[2] or ""
            block = block[1:]
        if name in _CODE:
            code = "\n".join(block)
            self._writer.code(self._reading.shown(code) if name == "parsed-literal" else code)
        elif name in ("list-table", "csv-table"):
            self._writer.block(self._reading.shown(argument))
            self._table_of(name, options, block)
        elif name in ("image", "figure"):
            self._writer.block(self._reading.shown(options.get("alt", "")))
            self._inner(block)
        elif name not in _UNREAD and not name.startswith("auto"):
            label = _LABELS.get(name, "")
            self._inner([f"{label} {argument}".strip(), *([] if label else [""]), *block])

    def _table_of(self, name: str, options: dict[str, str], block: list[str]) -> None:
        if name == "list-table":
            rows, header = list_rows(block), options.get("header-rows", "0") not in ("", "0")
        else:
            delimiter = {"tab": "\t", "space": " "}.get(options.get("delim", ","), options.get("delim", ","))
            named = csv_rows([options.get("header", "")], ",")
            rows = named + csv_rows(block, delimiter)
            header = bool(named) or options.get("header-rows", "0") not in ("", "0")
        write_rows(self._writer, *self._shown((rows, header)))

    def _shown(self, table: tuple[list[list[str]], bool]) -> tuple[list[list[str]], bool]:
        rows, header = table
        return [[self._reading.shown(cell) for cell in row] for row in rows], header

    def _block(self, beyond: int = 0) -> list[str]:
        """Return the lines from here that are indented beyond a column, without what they have in common."""
        first = self._at
        while self._at < len(self._lines) and (not self._lines[self._at] or _column(self._lines[self._at]) > beyond):
            self._at += 1
        block = self._lines[first : self._at]
        least = min((_column(line) for line in block if line), default=0)
        return "\n".join(line[least:] for line in block).strip("\n").split("\n")

    def _while(self, signs: str) -> list[str]:
        """Return the lines from here that begin with one of some signs."""
        first = self._at
        while self._at < len(self._lines) and self._lines[self._at][:1] in tuple(signs):
            self._at += 1
        return self._lines[first : self._at]

    def _until_blank(self) -> list[str]:
        first = self._at
        while self._at < len(self._lines) and self._lines[self._at]:
            self._at += 1
        return self._lines[first : self._at]

    def _end_of_simple(self) -> int | None:
        """Return the index after a simple table: after its third border, or its second where nothing follows that."""
        borders = 0
        for at in range(self._at + 1, len(self._lines)):
            if SIMPLE_BORDER.match(self._lines[at]):
                borders += 1
                if borders == 2 or not (self._lines[at + 1] if at + 1 < len(self._lines) else ""):
                    return at + 1
        return None


def _column(line: str) -> int:
    """Return the column in which a line begins."""
    return len(line) - len(line.lstrip(" "))
