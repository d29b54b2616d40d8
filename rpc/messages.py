"""Messages as REST says them, and what REST says as messages: the same fields under the same names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

Answer = TypeVar("Answer", bound=Message)


def said(message: Message) -> dict[str, Any]:
    """Return the fields that are set, as REST is sent them.

    Raises:
      ValueError: a number is none of JSON, such as NaN.
    """
    fields: dict[str, Any] = _whole(MessageToDict(message, preserving_proto_field_name=True))
    return fields


def as_texts(fields: Mapping[str, object]) -> dict[str, str]:
    """Return fields as a query or a form says them."""
    return {name: _text(value) for name, value in fields.items()}


def shown(answer: Any, kind: type[Answer], field: str | None = None) -> Answer:
    """Return what REST answers as a message; what the message has no field for is left out.

    Parameters:
      field: of the message, which takes the answer; None: the message itself does.
    """
    return ParseDict(answer if field is None else {field: answer}, kind(), ignore_unknown_fields=True)


def _whole(value: Any) -> Any:
    """Give whole numbers back what they were: a Struct knows only doubles."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return json.dumps(value)
