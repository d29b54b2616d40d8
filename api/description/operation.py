"""What a responder says of itself, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

Responder = TypeVar("Responder", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Parameters:
      summary: one sentence.
      answers: statuses with their meaning.
      request: the JSON body's model, or the form's where `form` is set.
      body_required: whether a request without a body is refused.
      query: the query string's model.
      media: the type of the success answer.
      example: a request that works as it stands.
    """

    summary: str
    answers: dict[int, str]
    request: type[BaseModel] | None = None
    body_required: bool = True
    query: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    form: bool = False
    media: str = "application/json"
    example: dict[str, Any] | None = None


def operation(summary: str, answers: dict[int, str], **more: Any) -> Callable[[Responder], Responder]:
    """Describe a responder."""

    def describe(responder: Responder) -> Responder:
        responder.operation = Operation(summary, answers, **more)  # type: ignore[attr-defined]
        return responder

    return describe
