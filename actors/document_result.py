"""What the task of a document ends with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.stage import Work
from documents.embedding.prices import cost
from models import Version
from settings import settings


def document_result(
    work: Work,
    version: Version,
    timings: Mapping[str, float],
    *warnings: str,
    number: int | None,
    unchanged: bool = False,
) -> dict[str, Any]:
    """The result that is shown of a document.

    Parameters:
      version: what it was made into, or was already when it is unchanged; its warnings come before the others.
      timings: seconds of work by the name of the stage.
      number: of the version, None when it was never searchable.
    """
    tokens = 0 if unchanged else version.tokens_embedded
    return {
        "document_id": version.document_id,
        "version": number,
        "unchanged": unchanged,
        "chunks": version.chunks,
        "chunks_reused": version.chunks if unchanged else version.chunks_reused,
        "characters": version.characters,
        "pages": version.pages,
        "encoding": version.encoding,
        "coverage": version.properties.get("coverage"),
        "warnings": [*version.warnings, *warnings],
        "tokens_embedded": tokens,
        "estimated_cost": cost(version.embedder or "", tokens, settings()),
        "timings": dict(timings),
    }
