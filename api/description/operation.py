"""What a responder says of itself, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from models.base import Json

#: The media type of what may have any: how OpenAPI's generators know bytes.
ANY_BYTES = "application/octet-stream"

Responder = TypeVar("Responder", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Parameters:
      summary: one sentence.
      answers: statuses with their meaning; those that any request may earn need not be named (`errors.py`).
      id: the operationId, verb first, as a generated client calls its function: `get_task`.
      tag: the heading it stands under, one of `openapi.TAGS`.
      description: what else there is to know, as Markdown.
      request: the JSON body's model, or the form's where `form` is set.
      body_required: whether a request without a body is refused.
      query: the query string's model.
      response: the model of each success that has a body, and of the statuses in `besides`.
      besides: models of other statuses.
      events: the model of what a stream sends, one JSON object in each `data`.
      media: the type of a success; ANY_BYTES: whatever the document's own is.
      takes: request headers, by their names in `headers.TAKEN`.
      gives: response headers of a success, by their names in `headers.GIVEN`.
      example: a request that works as it stands.
    """

    summary: str
    answers: Mapping[int, str]
    id: str
    tag: str
    description: str | None = None
    request: type[BaseModel] | None = None
    body_required: bool = True
    form: bool = False
    query: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    besides: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    events: type[BaseModel] | None = None
    media: str = "application/json"
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    example: Json | None = None


def operation(
    summary: str, answers: Mapping[int, str], *, id: str, tag: str, **more: Any
) -> Callable[[Responder], Responder]:
    """Describe a responder; the parameters are those of `Operation`."""
    described = Operation(summary=summary, answers=answers, id=id, tag=tag, **more)

    def describe(responder: Responder) -> Responder:
        responder.operation = described  # type: ignore[attr-defined]
        return responder

    return describe
