"""Stage 5: the document points at its new version, in the transaction that completes the task."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from actors.stage import Work, stage
from documents import index
from documents.embedding.prices import cost
from settings import settings
from tasks.work import Advance, metadata, timings


@stage
def indexing(work: Work) -> Advance:
    """Rows to search results: the one moment at which the document changes."""

    def publish(session: Session) -> dict[str, Any]:
        swapped = index.swap(session, work.task_id, metadata(session, work.claim))
        version = index.facts(session, work.task_id)
        warnings = list(version.warnings)
        if not swapped.published:
            warnings.append("a later submission of this document is searchable already; this version was dropped")
        return {
            "document_id": version.document_id,
            "version": swapped.number,
            "chunks": version.chunks,
            "chunks_reused": version.chunks_reused,
            "characters": version.characters,
            "pages": version.pages,
            "encoding": version.encoding,
            "warnings": warnings,
            "tokens_embedded": version.tokens_embedded,
            "estimated_cost": cost(version.embedder or "", version.tokens_embedded, settings()),
            "timings": timings(session, work.claim),
        }

    return work.done(within=publish)
