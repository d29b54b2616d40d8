"""JSON and JSON Lines: keys and values as indented lines, written while the text is read, however deep it is."""

from __future__ import annotations

import re
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from pathlib import Path

from documents.reading.decoding import decode
from documents.text import Extracted, Writer
from errors import TaskError

_SPACE = re.compile(r"[ \t\r\n]*")
#: Line separators as well as JSON's own white space: a line of JSON Lines may end so, or with a mark of RFC 7464.
_BETWEEN = re.compile(r"[ \t\r\n\x1e]*")
_SCALAR = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity")
_CLOSES = {"{": "}", "[": "]"}
#: Deeper levels are all indented alike: spaces must not outgrow the document.
_DEEPEST = 12
_LINES_WRITTEN = 1000


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read JSON, or several values one after another: `key: value`, items as `- value`, as deep as they are nested.

    Each value, or each item of a list that is all the document, stands apart by an empty line. A key that occurs
    twice is written twice, and a number as it stands in the file.

    Raises:
      TaskError: undecodable, corrupt, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    scan = _Scan(decoded.text)
    values = scan.values()
    return scan.writer.finish(
        "json" if values == 1 else "jsonl",
        encoding=decoded.encoding,
        warnings=decoded.warnings,
        properties={"records": scan.records},
    )


class _Scan:
    """Goes through the text without recursion and without a tree, and writes each value where it stands."""

    def __init__(self, text: str) -> None:
        self.writer = Writer()
        self.records = 0
        self._text = text
        self._at = 0
        self._open: list[str] = []  # the brackets that are open
        self._lines: list[str] = []
        self._line = ""  # what the next value is written behind: its key, the dashes of its list
        self._apart = False

    def values(self) -> int:
        """Write all values; how many there were."""
        count = 0
        while self._skip(_BETWEEN):
            count += 1
            self._record()
            self._value()
            while self._open:
                self._member()
        self._flush()
        self.records = self.records - 1 if count == 1 and self.records > 1 else count
        return count

    def _record(self) -> None:
        """Set what begins here apart from what is before it, if it is more than a mere value."""
        self.records += 1
        if self._text.startswith(("{", "["), self._at):
            self._flush()
            self._apart = True

    def _value(self) -> None:
        """Write the value that begins here, or open it when it holds others."""
        start = self._text[self._at : self._at + 1]
        if start in _CLOSES:
            self._at += 1
            self._skip(_SPACE)
            if self._text.startswith(_CLOSES[start], self._at):
                self._at += 1
                self._write("{}" if start == "{" else "[]")
                return
            if self._line.strip(" -"):  # behind a key; a dash waits for what the value begins with
                self._write("")
            self._open.append(start)
        elif start == '"':
            self._write(self._string() or '""')
        elif match := _SCALAR.match(self._text, self._at):
            self._at = match.end()
            self._write(match.group())
        else:
            raise self._broken("a value is missing")

    def _member(self) -> None:
        """Read one member of the innermost object or list, and what follows it: a comma or the closing bracket."""
        inner, depth = self._open[-1], len(self._open)
        listed = self._open[0] == "["  # its items stand at the left, without a dash
        self._line = self._line or "  " * min(depth - 1 - listed, _DEEPEST)
        self._skip(_SPACE)
        if inner == "{":
            if not self._text.startswith('"', self._at):
                raise self._broken("a key is missing")
            self._line += " ".join(self._string().split()) + ": "
            self._take(":")
            self._skip(_SPACE)
        elif listed and depth == 1:
            self._record()
        elif len(self._line) < 2 * _DEEPEST:
            self._line += "- "
        self._value()
        if len(self._open) == depth:
            self._follow()

    def _follow(self) -> None:
        """Go on after a whole value: close what ends here, up to a comma."""
        while self._open:
            self._skip(_SPACE)
            if self._text.startswith(_CLOSES[self._open[-1]], self._at):
                self._at += 1
                self._open.pop()
            else:
                self._take(",")
                return

    def _write(self, value: str) -> None:
        indent = " " * (len(self._line) - len(self._line.lstrip(" -")) + 2)
        self._lines.append((self._line + value.replace("\n", "\n" + indent)).rstrip(" "))
        self._line = ""
        if len(self._lines) >= _LINES_WRITTEN:
            self._flush()

    def _flush(self) -> None:
        if self._lines:
            self.writer.block("\n".join(self._lines), tight=not self._apart)
            self._lines = []
            self._apart = False

    def _string(self) -> str:
        try:
            string, self._at = scanstring(self._text, self._at + 1, False)
        except JSONDecodeError as error:
            raise self._broken(error.msg) from error
        return str(string)

    def _take(self, sign: str) -> None:
        self._skip(_SPACE)
        if not self._text.startswith(sign, self._at):
            raise self._broken(f"a {sign!r} is missing")
        self._at += 1

    def _skip(self, spaces: re.Pattern[str]) -> bool:
        """Go on to what is no white space; False at the end."""
        match = spaces.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _broken(self, why: str) -> TaskError:
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - self._text.rfind("\n", 0, self._at)
        return TaskError("corrupt", f"the JSON cannot be read from line {line}, column {column} on: {why}")
