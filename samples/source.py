"""The sources of the samples: the little of Markdown that they are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEADING = re.compile(r"(#+) (.+)")
_ITEM = re.compile(r"\d+\. (.+)")
_NOTE = re.compile(r"\[\^\d+\]: (.+)")


@dataclass
class Block:
    """A piece of a document. kind is `heading`, `paragraph`, `item`, `note` or `table`."""

    kind: str
    text: str = ""
    level: int = 0
    rows: list[list[str]] = field(default_factory=list)


def blocks_of(source: str) -> list[Block]:
    """Return the blocks of a source, in which every line is a block of its own, but for the rows of a table."""
    blocks: list[Block] = []
    for line in filter(None, source.splitlines()):
        if match := _HEADING.fullmatch(line):
            blocks.append(Block("heading", match[2], len(match[1])))
        elif match := _ITEM.fullmatch(line):
            blocks.append(Block("item", match[1]))
        elif match := _NOTE.fullmatch(line):
            blocks.append(Block("note", match[1]))
        elif line.startswith("| "):
            if blocks[-1].kind != "table":
                blocks.append(Block("table"))
            blocks[-1].rows.append([cell.strip() for cell in line.strip("|").split("|")])
        else:
            blocks.append(Block("paragraph", line))
    return blocks
