"""What is done over HTTP to all documents of a filter: with a preview, and as a task."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api import requests
from api.access import callers
from api.bulkheads.pools import SEARCHING
from api.description import schemas
from api.description.operation import operation
from api.problems import Invalid
from api.resources.tasks import answer
from documents.storing import filter
from documents.storing.filter import Filter
from tasks.accepting.submission import Submission, submit
from tasks.transactions.group_commit import GroupCommit
from tasks.types.documents_deletion import TYPE

#: Documents that a preview counts at most, and of which it shows some.
MOST_COUNTED, EXAMPLES = 10_000, 10


class DocumentFilter(BaseModel):
    """Which documents are meant: those that meet all that is named."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] | None = Field(None, min_length=1, max_length=1000)
    prefix: str | None = Field(None, min_length=1, description="With which their ids begin.")
    metadata: dict[str, Any] | None = Field(
        None, min_length=1, max_length=20, description="What their submissions said; a list means any of its values."
    )


class DocumentsRequest(BaseModel):
    """Which documents are meant, and whether it is only to be previewed."""

    model_config = ConfigDict(extra="forbid")

    filter: DocumentFilter = Field(DocumentFilter(), description="Which documents.")
    all: bool = Field(False, description="Must be true where the filter names nothing.")
    dry_run: bool = Field(False, description="Answer how many there are, and change nothing.")


class DeleteDocuments:
    """`/kbs/{kb_id}/documents/delete`"""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    @operation(
        "Delete documents by a filter.",
        {200: "With `dry_run`: how many there are, and up to 10 of them.", 202: "The task that deletes them."},
        id="delete_documents",
        tag="documents",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=DocumentsRequest,
        response=schemas.AcceptedTask,
        besides={200: schemas.DocumentsPreview},
    )
    async def on_post(self, req: Any, resp: Any, kb_id: str) -> None:
        asked = await requests.body(req, DocumentsRequest.model_validate)
        named = asked.filter.model_dump(exclude_none=True)
        if not named and not asked.all:
            raise Invalid([{"field": "filter", "message": 'names nothing: say which are meant, or `"all": true`'}])
        if asked.dry_run:
            chosen = Filter(asked.filter.ids, asked.filter.metadata or {}, asked.filter.prefix)
            resp.media = await requests.read(_preview, kb_id, chosen, pool=SEARCHING)
            return
        given = {"task_type": TYPE.name, "kb_id": kb_id, "payload": named | {"all": asked.all}}
        submission = requests.fit(Submission, given)
        submission.under(requests.idempotency_key(req, asked)).by(callers.actor(req))
        answer(resp, await requests.committed(self._commits, submit, submission))


def _preview(session: Session, kb_id: str, chosen: Filter) -> dict[str, Any]:
    count = filter.count(session, kb_id, chosen, MOST_COUNTED + 1)
    examples = filter.ids(session, kb_id, chosen, limit=EXAMPLES)
    return {"count": min(count, MOST_COUNTED), "capped": count > MOST_COUNTED, "examples": examples}
