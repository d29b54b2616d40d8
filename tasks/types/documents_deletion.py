"""Taking many documents out of a KB."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, model_validator

from models.base import Json, rfc3339
from sentences import say
from tasks.input.bounds import storable
from tasks.input.fields import DocumentState, Name
from tasks.types import Stage, TaskType
from tasks.types.document_processing import DocumentId


class DocumentFilter(BaseModel):
    """Which documents are meant: those that meet all that is named."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[DocumentId], Field(min_length=1, max_length=1000)] | None = None
    prefix: Annotated[Name, Field(min_length=1)] | None = Field(None, description="With which their ids begin.")
    metadata: Annotated[Json, Field(min_length=1, max_length=20), AfterValidator(storable)] | None = Field(
        None, description="What their submissions said; a list means any of its values."
    )
    format: Annotated[Name, Field(min_length=1, max_length=64)] | None = Field(
        None, description="As they show it, such as `pdf`."
    )
    state: DocumentState | None = Field(None, description="Whether something newer is under way or has failed.")
    updated_after: Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str)] | None = None

    def named(self) -> Json:
        """Return what is named, as JSON has it."""
        given = self.model_dump(include=set(DocumentFilter.model_fields))
        return {name: value for name, value in given.items() if value}


class DocumentsDeletion(DocumentFilter):
    """The documents that are to go."""

    ids: Annotated[list[DocumentId], Field(max_length=1000)] | None = None
    all: bool = Field(False, description="Must be true where nothing else is named.")

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if not (self.all or self.named()):
            raise ValueError(say("names_no_document", names=[f"`{each}`" for each in DocumentFilter.model_fields]))
        # A worker that knows the first three alone, since it is still of an earlier release, deletes nothing so.
        if self.ids is None and (self.format or self.state or self.updated_after):
            self.ids = []
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
