"""Taking many documents out of a KB."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, model_validator

from models.base import Json, rfc3339
from sentences import say
from tasks.input.bounds import storable
from tasks.input.fields import Aware, DocumentState, Name
from tasks.types import Stage, TaskType
from tasks.types.document_processing import DocumentId


class DocumentFields(BaseModel):
    """What documents are listed by, and chosen by for what is done to many; of what is named all must fit."""

    model_config = ConfigDict(extra="forbid")

    prefix: Annotated[Name, Field(min_length=1)] | None = Field(None, description="With which their ids begin.")
    format: Annotated[Name, Field(min_length=1, max_length=64)] | None = Field(
        None, description="As they show it, such as `pdf`."
    )
    state: DocumentState | None = Field(None, description="Whether something newer is under way or has failed.")
    updated_after: Annotated[Aware, PlainSerializer(rfc3339, return_type=str)] | None = None


class DocumentFilter(DocumentFields):
    """Which documents are meant: those that meet all that is named."""

    ids: Annotated[list[DocumentId], Field(min_length=1, max_length=1000)] | None = None
    metadata: Annotated[Json, Field(min_length=1, max_length=20), AfterValidator(storable)] | None = Field(
        None, description="What their submissions said; a list means any of its values."
    )

    def named(self) -> Json:
        """Return what is named, as JSON has it."""
        fields = self.model_dump(include=set(DocumentFilter.model_fields))
        return {name: value for name, value in fields.items() if value}


class DocumentsDeletion(DocumentFilter):
    """The documents that are to go."""

    # Those of a stored payload may be empty; see `_keep_from_earlier_releases`.
    ids: Annotated[list[DocumentId], Field(max_length=1000)] | None = None
    among: Annotated[list[DocumentId], Field(max_length=1000)] | None = Field(
        None,
        description="Written by the service beside a format, a state or a time: `ids`, empty where none were named.",
    )
    all: bool = Field(False, description="Must be true where nothing else is named.")

    @model_validator(mode="before")
    @classmethod
    def _no_ids_are_no_choice(cls, value: object) -> Any:
        """Refuse an empty list of ids, but for one that was stored: nobody who names none means all."""
        if isinstance(value, dict) and value.get("ids") == [] and "among" not in value:
            raise _names_nothing()
        return value

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if not (self.all or self.named()):
            raise _names_nothing()
        return self._keep_from_earlier_releases()

    def _keep_from_earlier_releases(self) -> Self:
        """Move the ids to where a worker of an earlier release, which knows no format, state or time, finds none."""
        if (self.format or self.state or self.updated_after) and self.ids != []:
            self.among, self.ids = self.ids or [], []
        return self

    def named(self) -> Json:
        """Return what is named, as JSON has it."""
        names = super().named()
        return {"ids": self.among, **names} if self.among else names

    def named_ids(self) -> list[str] | None:
        """Return the ids that are named, wherever they are kept; None: none are."""
        return self.among or self.ids or None


def _names_nothing() -> ValueError:
    return ValueError(say("names_no_document", names=[f"`{field}`" for field in DocumentFilter.model_fields]))


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
