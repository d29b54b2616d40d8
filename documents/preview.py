"""What a document would become, without keeping any of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from documents.sandbox.pool import Sandbox
from documents.splitting.chunking import Chunk
from documents.text import Extracted


@dataclass(frozen=True, slots=True)
class Preview:
    """A document as it was read, and its chunks."""

    extracted: Extracted
    chunks: list[Chunk]


def preview(
    sandbox: Sandbox,
    path: Path,
    *,
    filename: str | None,
    content_type: str | None,
    encoding: str | None,
    size: int,
    overlap: int,
    measured_in: str,
    timeout: float,
) -> Preview:
    """Read and split a file as a task does, in the sandbox; see there for the errors.

    Parameters:
      measured_in: what size and overlap count; see `documents.splitting.measure.measure`.
      timeout: seconds of work.
    """
    began = time.monotonic()
    extracted = sandbox.extract(path, filename=filename, content_type=content_type, encoding=encoding, timeout=timeout)
    chunks: list[Chunk] = sandbox.run(
        "documents.splitting.pieces:chunks",
        (extracted.text, extracted.anchors, size, overlap, None, measured_in),
        timeout=max(0.1, timeout - (time.monotonic() - began)),
    )
    return Preview(extracted, chunks)
