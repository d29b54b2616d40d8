"""Taking a document out of a KB."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tasks.types import Stage, TaskType
from tasks.types.document_processing import DocumentId


class DocumentDeletion(BaseModel):
    """The document that is to go."""

    model_config = ConfigDict(extra="forbid")

    document_id: DocumentId


class DeletedDocument(BaseModel):
    """The result of a `document_deletion` task."""

    document_id: str
    superseded: int = Field(description="Tasks that were to bring the document in, and ended with `superseded`.")


TYPE = TaskType(
    "document_deletion",
    DocumentDeletion,
    (Stage("document_deletion"),),
    result=DeletedDocument,
    needs_kb=True,
    subject=lambda payload: str(payload["document_id"]),
)
