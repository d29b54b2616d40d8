"""The chunks of a text with the words that an index finds them by, as a child of the sandbox makes them."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from documents.splitting import tokens
from documents.splitting.chunking import Chunk
from documents.splitting.chunking import split as cut
from documents.splitting.measure import CHARACTERS, measure
from documents.splitting.previous_version import PreviousVersion
from documents.text import Anchor
from errors import TaskError


@dataclass(slots=True)
class Piece:
    """A chunk and its words. lead_tokens are those of what is above it, which its text may lack."""

    index: int
    start: int
    end: int
    page: int | None
    heading_path: list[str]
    context: str
    tokens: list[str]
    lead_tokens: list[str]


def split(
    text: str,
    anchors: list[Anchor],
    size: int,
    overlap: int,
    earlier: PreviousVersion | None = None,
    measured_in: str = CHARACTERS,
) -> list[Piece]:
    """Return the chunks of a text with the words that an index finds them by."""
    known: dict[str, list[str]] = {}
    pieces = []
    for chunk in chunks(text, anchors, size, overlap, earlier, measured_in):
        lead = "\n".join([*chunk.heading_path, chunk.context])
        if lead not in known:
            known[lead] = tokens.index_tokens(lead)
        # A word is one object however often it occurs: a long document has a million, and they cross the pipe.
        words = list(map(sys.intern, tokens.index_tokens(text[chunk.start : chunk.end])))
        place = (chunk.index, chunk.start, chunk.end, chunk.page, chunk.heading_path, chunk.context)
        pieces.append(Piece(*place, words, known[lead]))
    return pieces


def chunks(
    text: str, anchors: list[Anchor], size: int, overlap: int, earlier: PreviousVersion | None, measured_in: str
) -> list[Chunk]:
    """Return the chunks of a text, without their words.

    Raises:
      TaskError: internal, when `measured_in` names a file that is no tokenizer.
    """
    try:
        measured = measure(measured_in, text)
    except (OSError, ValueError) as error:
        raise TaskError("internal", f"EMBEDDING_TOKENIZER cannot be used: {error}", retryable=False) from None
    return cut(text, anchors, size, overlap, earlier, measured)
