"""What a verb prints on standard output: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
import unicodedata
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from task_manager_client.core.shape import Shape

Row = Mapping[str, Any]
#: How many of a list are shown where nothing else was asked for.
LIMIT = 50


def show(rows: Iterable[Row], fields: Sequence[str], arguments: Namespace) -> int:
    """Print rows, and return how many there were.

    Parameters:
      fields: the columns of a table, unless others were chosen.
      arguments: its `output` is table, json or jsonl; its `fields` are separated by commas, and dots lead into objects.
    """
    named = _names(arguments.fields)
    if arguments.output == "table":
        return _table(list(rows), named or fields)
    shown = (with_fields(row, arguments) for row in rows)
    if arguments.output == "json":
        whole = list(shown)
        say(json.dumps(whole, ensure_ascii=False, indent=2))
        return len(whole)
    count = 0
    for row in shown:
        say(json.dumps(row, ensure_ascii=False))
        count += 1
    return count


def show_list(shapes: Iterable[Shape], fields: Sequence[str], arguments: Namespace) -> int:
    """Print as many of what was found as were asked for, and return how many there were; see `show`."""
    return show((shape.raw for shape in islice(shapes, most(arguments))), fields, arguments)


def most(arguments: Namespace) -> int | None:
    """Return how many of a list are to be shown at most; None: all."""
    return (LIMIT if arguments.limit is None else arguments.limit) or None


def show_one(row: Row, arguments: Namespace) -> None:
    """Print one thing: a line for each field that says something, or JSON."""
    named = _names(arguments.fields)
    if arguments.output != "table":
        shown = with_fields(row, arguments)
        say(json.dumps(shown, ensure_ascii=False, indent=2 if arguments.output == "json" else None))
        return
    texts = {name: text(field(row, name)) for name in (row if named is None else named)}
    width = max((len(name) for name, said in texts.items() if said), default=0)
    for name, said in texts.items():
        if said:
            say(f"{name:{width}}  {said}")


def for_people(arguments: Namespace) -> bool:
    """Whether neither another form nor fields were asked for."""
    return arguments.output == "table" and not arguments.fields


def answered(line: str, answer: Shape | Row | None, arguments: Namespace) -> None:
    """Print what was done: for people a line, else what the service answered."""
    if for_people(arguments):
        say(line)
    else:
        show_one((answer.raw if isinstance(answer, Shape) else answer) or {}, arguments)


def with_fields(row: Row, arguments: Namespace) -> Row:
    """Return a row with the fields that were chosen, or with all."""
    named = _names(arguments.fields)
    return {name: field(row, name) for name in named} if named else row


def _names(chosen: str | None) -> list[str] | None:
    """Return the fields that were chosen; None: none was."""
    return [name.strip() for name in chosen.split(",") if name.strip()] if chosen else None


def field(row: Row, name: str) -> Any:
    """Return a field of a row; dots lead into its objects."""
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def text(value: object) -> str:
    """Return a value as a cell."""
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return printable(", ".join(value))
    return printable(json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value))


def say(line: str) -> None:
    """Print a line; a character that the terminal lacks becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding))


def printable(value: str) -> str:
    """Return a text that cannot steer a terminal, whoever wrote it."""
    return "".join(sign for sign in value if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs"))


def width(value: str) -> int:
    """Return how many columns a text takes; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in value)


def _table(rows: Sequence[Row], fields: Sequence[str]) -> int:
    if not rows:
        return 0
    cells = [[name.rpartition(".")[2] for name in fields]]
    cells += [[text(field(row, name)).replace("\n", " ") for name in fields] for row in rows]
    widths = [max(width(line[at]) for line in cells) for at in range(len(fields))]
    for line in cells:
        padded = [cell + " " * (most - width(cell)) for cell, most in zip(line, widths, strict=True)]
        say("  ".join(padded).rstrip())
    return len(rows)
