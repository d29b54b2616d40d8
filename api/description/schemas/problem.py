"""Errors of requests, as they are answered."""

from __future__ import annotations

from pydantic import Field

from api.description.schemas.shape import Model, sometimes


class BadField(Model):
    """What is wrong with one field."""

    field: str = Field(description="A dotted path, as in `payload.chunk_size`; `body` for the whole.")
    code: str = Field(
        description="`missing`, `unknown`, `wrong_type`, `wrong_length`, `out_of_range`, `not_allowed`, or `invalid`,"
        " where only `message` can say it; others may come."
    )
    message: str = Field(description="What is wrong, to be read after the name of the field.")
    message_zh: str = Field(description="The same in Chinese.")
    type: str = Field(description="The page of the code.")


class Problem(Model):
    """An error of a request, by RFC 9457."""

    type: str = Field(description="The page of the code.")
    title: str = Field(description="The phrase of the status.")
    status: int
    detail: str = Field(description="What happened to this request.")
    detail_zh: str = Field(description="The same in Chinese.")
    instance: str = Field(description="The path of the request.")
    request_id: str | None = Field(description="As in `X-Request-ID`, and in the log.")
    code: str = Field(description="What programs tell errors by; the page of each is `type`.")
    hint: str = Field(description="What can be done.")
    hint_zh: str = Field(description="The same in Chinese.")
    param: str = sometimes("The first invalid field.")
    errors: list[BadField] = sometimes("All invalid fields.")
