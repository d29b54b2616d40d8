"""Taking many documents out of a KB."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentences import say
from tasks.types import Stage, TaskType
from tasks.types.document_processing import DocumentId


class DocumentsDeletion(BaseModel):
    """The documents that are to go: those that meet all that is named."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[DocumentId], Field(min_length=1, max_length=1000)] | None = None
    prefix: str | None = Field(None, min_length=1, description="With which their ids begin.")
    metadata: dict[str, Any] | None = Field(
        None, min_length=1, max_length=20, description="What their submissions said; a list means any of its values."
    )
    all: bool = Field(False, description="Must be true where nothing else is named.")

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if not (self.all or self.ids or self.prefix or self.metadata):
            raise ValueError(say("names_no_document"))
        return self


class DeletedDocuments(BaseModel):
    """The result of a `documents_deletion` task."""

    deleted: int


TYPE = TaskType(
    "documents_deletion",
    DocumentsDeletion,
    (Stage("documents_deletion"),),
    result=DeletedDocuments,
    needs_kb=True,
)
