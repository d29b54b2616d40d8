"""How much a client may say of a task besides its document, and what PostgreSQL cannot hold of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from models.base import json_of
from sentences import Bilingual, say

Value = TypeVar("Value")

#: Bytes of a field as JSON in UTF-8: every look at the task shows them, and every callback carries the metadata.
LARGEST_METADATA, LARGEST_PAYLOAD = 64 * 1024, 256 * 1024
#: Values within a field, names included. Each costs a hundred times the two bytes that it may take in a request.
MOST_VALUES = 10_000
#: Levels of JSON within JSON. What is shown and called back is written by code that recurses.
DEEPEST = 100


def why_unstorable(value: object) -> Bilingual | None:
    """Return why a value cannot be stored; None when it can. Looks at no more than MOST_VALUES of it."""
    left = MOST_VALUES
    level = [value]
    for _ in range(DEEPEST + 1):
        below: list[object] = []
        for part in level:
            if isinstance(part, (dict, list)):
                left -= len(part) * (2 if isinstance(part, dict) else 1)
                if left < 0:
                    return say("too_many_values", most=MOST_VALUES)
                below += part
                if isinstance(part, dict):
                    below += part.values()
            elif (why := _why_one_is_unstorable(part)) is not None:
                return why
        if not below:
            return None
        level = below
    return say("too_deep", most=DEEPEST)


def storable(value: Value) -> Value:
    """Return a value as it is.

    Raises:
      ValueError: it holds what PostgreSQL cannot store.
    """
    if (why := why_unstorable(value)) is not None:
        raise ValueError(why)
    return value


def _why_one_is_unstorable(value: object) -> Bilingual | None:
    if isinstance(value, str):
        if "\0" in value:
            return say("nul")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return say("surrogate")
    elif isinstance(value, float) and not math.isfinite(value):
        return say("infinite")
    return None


def excess_of_metadata(metadata: Mapping[str, object]) -> Bilingual | None:
    """Return why metadata are too large; None when they are not."""
    size = _bytes_of(metadata)
    if size <= LARGEST_METADATA:
        return None
    return say("large_metadata", size=size, most=LARGEST_METADATA)


def excess_of_payload(payload: Mapping[str, object]) -> Bilingual | None:
    """Return why a payload is too large; None when it is not. A document's text is no part of it."""
    content = payload.get("content")
    size = _bytes_of({**payload, "content": ""} if isinstance(content, str) else payload)
    if size <= LARGEST_PAYLOAD:
        return None
    return say("large_payload", size=size, most=LARGEST_PAYLOAD)


def _bytes_of(value: Mapping[str, object]) -> int:
    return len(json_of(value).encode())
