"""Files over HTTP: multipart forms, what their parts say of themselves, and how a file is sent back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_origin
from urllib.parse import quote

import falcon
from falcon import asgi
from pydantic import Field
from pydantic.fields import FieldInfo

from api.problems import Invalid, problem
from models.base import Json
from sentences import say

#: Bytes of one form field.
LONGEST_FIELD = 64 * 1024
#: Bytes of a form besides its file: as many fields as Falcon takes, each with its headers.
BESIDES_THE_FILE = 64 * (LONGEST_FIELD + 8 * 1024)

#: A type that may be told again as somebody said it.
MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(; ?charset=[\w.-]{1,40})?", re.ASCII)


def attachment(filename: str) -> str:
    """Return `Content-Disposition` for a file that is to be saved under a name, whatever that holds (RFC 6266)."""
    filename = re.sub(r"[\x00-\x1f\x7f]", " ", filename)
    plain = re.sub(r"[^\w.() -]", "_", filename, flags=re.ASCII) or "document"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"


def is_form(req: asgi.Request) -> bool:
    """Return whether a request says that it is a multipart form."""
    return (req.content_type or "").lower().startswith("multipart/form-data")


def said_of(part: Any) -> tuple[str, str | None, str | None]:
    """Return a part's name, file name and type.

    Raises:
      falcon.HTTPBadRequest: when they are not UTF-8.
    """
    try:
        return part.name or "", part.filename, part.content_type
    except UnicodeDecodeError:
        raise falcon.HTTPBadRequest(description=say("part_headers")) from None


async def text(part: Any) -> str:
    """Return the text of a part.

    Raises:
      Invalid: when it is too long, or not UTF-8.
    """
    data = await part.stream.read(LONGEST_FIELD + 1)
    if len(data) > LONGEST_FIELD:
        raise Invalid([problem(part.name, say("form_size", most=LONGEST_FIELD))])
    try:
        return str(data.decode())
    except UnicodeDecodeError:
        raise Invalid([problem(part.name, say("not_utf8"))]) from None


def described(fields: Mapping[str, FieldInfo]) -> Json:
    """Return fields for a model of a form: a list is a text with commas, an object one of JSON."""
    texts = {list: "Comma-separated.", dict: "A JSON object."}
    return {
        name: (str | None, Field(None, description=f"{field.description} {texts[origin]}"))
        if (origin := get_origin(field.annotation)) in texts
        else (field.annotation, field)
        for name, field in fields.items()
    }


def understood(name: str, value: str, fields: Mapping[str, FieldInfo]) -> Any:
    """Return the value that the text of a field means, as far as its form tells; a number stays a text."""
    origin = get_origin(fields[name].annotation)
    if origin is list:
        return value.replace(",", " ").split()
    if origin is dict:
        # What is no JSON stays a text, and is listed with whatever else does not fit.
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value
