"""Taking a document out of a KB."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tasks.types import Stage, TaskType


class DocumentDeletion(BaseModel):
    """The document that is to go."""

    model_config = ConfigDict(extra="forbid")

    document_id: str = Field(min_length=1, max_length=512)


TYPE = TaskType(
    "document_deletion",
    DocumentDeletion,
    (Stage("document_deletion"),),
    needs_kb=True,
    subject=lambda payload: str(payload["document_id"]),
)
