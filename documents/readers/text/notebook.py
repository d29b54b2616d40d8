"""Notebooks of Jupyter: Markdown as it is, code and what it printed as blocks of code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from documents.readers.text.markdown import scan
from documents.reading.decoding import decode
from documents.text import Extracted, Writer, clean
from errors import TaskError

#: Pictures that stand in the text itself, in base64.
_DATA = re.compile(r"\(\s*<?data:[^)\s]*\)")
#: Colours and moves of a terminal.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Za-z0-9]")
#: Where a line is written over, as bars of progress are.
_OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a notebook of format 3 or 4. Of what a cell gave, its text is read: no pictures, pages or traces of errors.

    Raises:
      TaskError: undecodable, too_large; corrupt, when it is no JSON or has no cells.
    """
    decoded = decode(path.read_bytes(), encoding)
    try:
        notebook = json.loads(decoded.text)
    except (ValueError, RecursionError) as error:
        raise TaskError("corrupt", f"the notebook is no valid JSON: {error}") from error
    writer = Writer()
    for cell in _cells(notebook):
        if isinstance(cell, dict):
            _write(writer, cell)
    title = _part(notebook, "metadata").get("title")
    return writer.finish(
        "ipynb",
        encoding=decoded.encoding,
        warnings=decoded.warnings,
        properties={"title": title} if isinstance(title, str) else {},
    )


def _cells(notebook: object) -> list[Any]:
    """Return the cells, which before format 4 stood in worksheets."""
    if isinstance(notebook, dict) and isinstance(notebook.get("cells"), list):
        cells: list[Any] = notebook["cells"]
        return cells
    if isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        return [cell for sheet in notebook["worksheets"] if isinstance(sheet, dict) for cell in _list(sheet, "cells")]
    raise TaskError("corrupt", "the notebook has no list of cells")


def _write(writer: Writer, cell: dict[str, Any]) -> None:
    source = _text(cell.get("source", cell.get("input")))
    match cell.get("cell_type"):
        case "code":
            writer.code(source)
            for output in _list(cell, "outputs"):
                if isinstance(output, dict):
                    writer.code(_output(output))
        case "heading":
            level = cell.get("level")
            level = level if isinstance(level, int) and 1 <= level <= 6 else 1
            writer.heading(source, level, "#" * level + " ")
        case "markdown":
            text = clean(_DATA.sub("()", source))[0].strip("\n")
            writer.marked(text, scan(text))
        case _:
            writer.block(source)


def _output(output: dict[str, Any]) -> str:
    """Return what a cell printed or gave as text, or the error that it ended with; of a picture nothing."""
    match output.get("output_type"):
        case "stream":
            text = _text(output.get("text"))
        case "error" | "pyerr":
            text = ": ".join(filter(None, (_text(output.get(name)) for name in ("ename", "evalue"))))
        case _:
            data = _part(output, "data") or output
            if any(kind.startswith("image/") or kind in ("png", "jpeg", "svg") for kind in data):
                return ""
            text = next((_text(data[kind]) for kind in ("text/markdown", "text/plain", "text") if kind in data), "")
    return _OVERWRITTEN.sub("", _ESCAPES.sub("", text))


def _text(value: object) -> str:
    """Return a text, which may be divided into lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _part(holder: object, name: str) -> dict[str, Any]:
    part = holder.get(name) if isinstance(holder, dict) else None
    return part if isinstance(part, dict) else {}


def _list(holder: dict[str, Any], name: str) -> list[Any]:
    part = holder.get(name)
    return part if isinstance(part, list) else []
