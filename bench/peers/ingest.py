"""A script that takes in documents with another framework, as `bench.ingest` measures it.

    DATABASE_URL=… python -m bench.peers.ingest langchain one FOLDER

takes in FOLDER/warm and prints `ready`; the next line of its input has it take in FOLDER/documents and print `done`.
`one`: file after file; `many`: all of them at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from documents.embedding.local import LocalEmbedder

#: Characters of a chunk and of its overlap, as the service has them by default.
SIZE, OVERLAP = 1000, 200
#: Text files of the mixture are in this encoding, all others in UTF-8. The service finds it out by itself.
TEXT_ENCODING = "gb18030"
DIMENSION = LocalEmbedder.dimension


class Ingest(Protocol):
    """What each `bench/peers/ingest_….py` offers."""

    def __init__(self, database_url: str) -> None:
        """Make the tables."""

    def take_in(self, paths: Sequence[Path]) -> None:
        """Read, split, embed and store files; they are searchable afterwards."""


def vectors(texts: Sequence[str]) -> list[list[float]]:
    """One vector for each text, by the embedder of all contestants, as lists, which all three frameworks want."""
    return [vector.tolist() for vector in LocalEmbedder().embed(texts, "document").vectors]


def main(framework: str, how: str, folder: Path) -> None:
    """Take in the files that warm up, then, when told, those that count."""
    ingest: Ingest = import_module(f"bench.peers.ingest_{framework}").Ingest(os.environ["DATABASE_URL"])

    def take_in(files: Path) -> None:
        paths = sorted(files.iterdir())
        for together in [paths] if how == "many" else [[path] for path in paths]:
            ingest.take_in(together)

    take_in(folder / "warm")
    print("ready", flush=True)
    sys.stdin.readline()
    take_in(folder / "documents")
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
