"""Errors of requests, as they are answered."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.description.schemas.shape import sometimes


class BadField(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="A dotted path, `body` for the whole.")
    message: str


class Problem(BaseModel):
    """An error of a request, by RFC 9457."""

    type: str
    title: str = Field(description="The phrase of the status.")
    status: int
    detail: str = Field(description="What happened to this very request.")
    instance: str = Field(description="The path of the request.")
    request_id: str | None = Field(description="As in `X-Request-ID`, and in the log.")
    code: str = sometimes("What programs tell errors by.")
    hint: str = sometimes("What can be done.")
    hint_zh: str = sometimes("The same in Chinese.")
    errors: list[BadField] = sometimes("Every field that does not fit.")
