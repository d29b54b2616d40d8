"""Hits of a search, as they are shown: the document, the place in it, the score, the text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from task_manager_client.answers.documents import Hit
from task_manager_client.command.output import printable


def show(console: Console, hits: Sequence[Hit]) -> None:
    """Write the hits, best first, each with an empty line after it."""
    for rank, hit in enumerate(hits, 1):
        place = place_of(hit)
        headline = Text.assemble(
            (f"{rank}. ", "dim"),
            (printable(hit.document_id), "bold"),
            (f", {place}" if place else "", "cyan"),
            (f"  {hit.score:.3f}", "dim"),
        )
        console.print(headline, soft_wrap=True)
        for chunk in hit.before:
            _passage(console, chunk.text, "dim")
        _passage(console, hit.text, "")
        for chunk in hit.after:
            _passage(console, chunk.text, "dim")


def _passage(console: Console, passage: str, style: str) -> None:
    text = printable(passage)
    if console.is_terminal:
        console.print(Padding(Text(text, style), (0, 0, 1, 3)))
    else:
        # What another program reads keeps its lines, however long they are.
        console.print(Text(textwrap.indent(text, "   ") + "\n"), soft_wrap=True)


def place_of(hit: Hit) -> str:
    """Return where in its document a hit is: its page and headings, as far as it has them."""
    parts = [f"page {hit.page}"] if hit.page is not None else []
    if hit.heading_path:
        parts.append(" › ".join(map(printable, hit.heading_path)))
    return ", ".join(parts)
