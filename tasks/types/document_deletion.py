"""Taking a document out of a KB."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tasks.types import Stage, TaskType
from tasks.types.document_processing import DocumentId


class DocumentDeletion(BaseModel):
    """The document that is to go."""

    model_config = ConfigDict(extra="forbid")

    document_id: DocumentId


TYPE = TaskType(
    "document_deletion",
    DocumentDeletion,
    (Stage("document_deletion"),),
    needs_kb=True,
    subject=lambda payload: str(payload["document_id"]),
)
