"""Messages as REST says them, and what REST says as messages: the same fields under the same names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

Answer = TypeVar("Answer", bound=Message)
#: Makes of a value of REST what a field of a message takes.
Reader = Callable[[Any], object]


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


def shown(answer: Mapping[str, object], kind: type[Answer], field: str | None = None) -> Answer:
    """Return what REST answers as a message; what the message has no field for is left out.

    `ParseDict` of protobuf does the same in six times the CPU, which was the most that a call cost.

    Parameters:
      field: of the message, which takes the answer; None: the message itself does.
    """
    descriptor = cast("Descriptor", kind.DESCRIPTOR)
    return kind(**_fields(descriptor, answer if field is None else {field: answer}))


def _fields(kind: Descriptor, values: Mapping[str, object]) -> dict[str, object]:
    readers = _readers(kind)
    return {name: readers[name](value) for name, value in values.items() if value is not None and name in readers}


@cache
def _readers(kind: Descriptor) -> dict[str, Reader]:
    return {field.name: _reader(field) for field in kind.fields}


def _reader(field: FieldDescriptor) -> Reader:
    kind = field.message_type
    read: Reader = _as_it_is
    if kind is not None and kind.full_name == "google.protobuf.Timestamp":
        read = datetime.fromisoformat
    elif kind is not None and kind.full_name != "google.protobuf.Struct":
        read = partial(_fields, kind)
    return partial(_each, read) if field.is_repeated else read


def _as_it_is(value: object) -> object:
    return value


def _each(read: Reader, values: list[object]) -> list[object]:
    return [read(value) for value in values]


def _whole(value: Any) -> Any:
    """Give whole numbers back what they were: a Struct knows only doubles."""
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return json.dumps(value)
