"""What models of answers are made of: pages, fields that may be missing, and models that one field tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, Union

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from models.base import Json

Item = TypeVar("Item")


class Model(BaseModel):
    """A model that only describes. Nothing is built for it before somebody asks for the OpenAPI document."""

    model_config = ConfigDict(defer_build=True)


class OneOf(RootModel[Item], Generic[Item]):
    """A model that is one of several, and only describes."""

    model_config = ConfigDict(defer_build=True)


class Count(Model):
    """How many there are."""

    count: int
    capped: bool = Field(description="Whether there are at least so many.")


class Page(Model, Generic[Item]):
    """A page of a list. A subclass names it: `class TaskPage(Page[Task])`."""

    items: list[Item]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


def sometimes(description: str) -> Any:
    """Return a field that is left out of some answers, which is not the same as null."""
    return Field(default_factory=lambda: None, description=description)


def camel(name: str) -> str:
    """Return the name of a task type as that of a model."""
    return "".join(map(str.title, name.split("_")))


def told_apart(
    name: str, field: str, models: Sequence[type[BaseModel]], otherwise: type[BaseModel] | None = None
) -> type[BaseModel]:
    """Return a model that is one of several, told apart by a field of which each has one value.

    Parameters:
      otherwise: what it is where the field has another value.
    """
    mapping = {_value(model, field): f"#/components/schemas/{model.__name__}" for model in models}

    def chosen(schema: Json) -> None:
        schema["oneOf"] = schema.pop("anyOf")
        schema["discriminator"] = {"propertyName": field, "mapping": mapping}

    several = (*models, otherwise) if otherwise else tuple(models)
    base = OneOf[Union[several]]  # type: ignore[valid-type]  # noqa: UP007
    made: type[BaseModel] = create_model(name, __base__=base, __doc__=f"Which one it is, `{field}` says.")
    made.model_config = ConfigDict(json_schema_extra=chosen)
    return made


def _value(model: type[BaseModel], field: str) -> str:
    (value,) = model.model_fields[field].annotation.__args__  # type: ignore[union-attr]
    return str(value)
