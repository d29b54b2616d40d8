"""No framework: the service's own reader, chunker and embedder in a loop, and a COPY of the chunks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import psycopg2

from bench.peers.ingest import DIMENSION, OVERLAP, SIZE, vectors
from documents.reading.extraction import extract
from documents.splitting.chunking import split
from documents.storing.index import embedded_text

TABLES = f"""
    CREATE EXTENSION IF NOT EXISTS vector;
    CREATE TABLE chunks (file text NOT NULL, text text NOT NULL, embedding vector({DIMENSION}) NOT NULL)
"""


class Ingest:
    """Reads, splits, embeds and copies; what is taken in together is committed together."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg2.connect(database_url)
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(TABLES)

    def take_in(self, paths: Sequence[Path]) -> None:
        """Read, split, embed and store files."""
        rows: list[str] = []
        for path in paths:
            extracted = extract(path, filename=path.name)
            texts = [
                embedded_text(piece.heading_path, piece.context, extracted.text[piece.start : piece.end])
                for piece in split(extracted.text, extracted.anchors, SIZE, OVERLAP)
            ]
            rows += [
                f"{path.name}\t{_escaped(chunk)}\t{vector}\n"
                for chunk, vector in zip(texts, vectors(texts), strict=True)
            ]
        with self._connection, self._connection.cursor() as cursor:
            cursor.copy_expert("COPY chunks FROM STDIN", io.StringIO("".join(rows)))


def _escaped(text: str) -> str:
    """Write a text as COPY reads it."""
    return text.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r").replace("\t", r"\t")
