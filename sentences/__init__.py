"""What a client is told about its request, in English and Chinese: one sentence for each kind of mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sentences.details import DETAILS
from sentences.fields import BY_PYDANTIC, OF_FIELDS, OTHERWISE
from sentences.sentence import Bilingual, Sentence

__all__ = ["Bilingual", "of_pydantic", "say"]

_ALL: Mapping[str, Sentence] = {**OF_FIELDS, **DETAILS}


def say(kind: str, /, **values: object) -> Bilingual:
    """Return the sentence of a kind, with its values.

    Raises:
      KeyError: there is no such kind, or a value is missing.
    """
    return _ALL[kind].of(values)


def of_pydantic(kind: str, values: Mapping[str, object]) -> Bilingual:
    """Return the sentence for what pydantic found wrong with a field.

    Parameters:
      kind, values: the `type` and the `ctx` of its error.
    """
    error = values.get("error")
    if isinstance(error, Exception) and error.args and isinstance(error.args[0], Bilingual):
        return error.args[0]
    if "expected" in values:
        values = {"expected": re.split(", | or ", str(values["expected"]))}
    return BY_PYDANTIC.get(kind, OTHERWISE).of(values)
