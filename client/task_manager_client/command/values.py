"""What options hold besides words and numbers: metadata, JSON, and what is read from a file."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from task_manager_client.command.sources import Unusable


def said(asked: Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return the options of these names that the command line has, by their names in REST."""
    values = {name: getattr(asked, name) for name in names}
    return {name: value for name, value in values.items() if value is not None and value is not False and value != []}


def metadata(given: Sequence[str]) -> dict[str, Any]:
    """Return the metadata that NAME=VALUE, or JSON objects, say; what comes later takes the place of its name.

    Raises:
      Unusable: one of them is neither.
    """
    pairs: dict[str, Any] = {}
    for each in given:
        pairs |= _pair(each)
    return pairs


def wanted_metadata(given: Sequence[str]) -> dict[str, Any]:
    """Return metadata as a filter: of a name that is there more than once any value will do.

    Raises:
      Unusable: one of them is neither NAME=VALUE nor a JSON object.
    """
    wanted: dict[str, Any] = {}
    for each in given:
        for name, value in _pair(each).items():
            if name in wanted:
                wanted[name] = [*_several(wanted[name]), *_several(value)]
            else:
                wanted[name] = value
    return wanted


def from_file(option: str, given: str) -> str:
    """Return what an option holds, or what is in the file where it is @FILE.

    Raises:
      Unusable: the file cannot be read.
    """
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Unusable(f"{option} {given} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def json_object(option: str, given: str) -> Mapping[str, Any]:
    """Return the JSON object that an option holds, or its file.

    Raises:
      Unusable: it holds none.
    """
    try:
        value = json.loads(from_file(option, given))
    except ValueError as error:
        raise Unusable(f"{option} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unusable(f'{option} is no JSON object, such as {{"task_type": "test"}}')
    return value


def _pair(given: str) -> dict[str, Any]:
    if given.lstrip().startswith("{"):
        try:
            pair: dict[str, Any] = json.loads(given)
        except ValueError as error:
            raise Unusable(f"--metadata {given!r} is no JSON object: {error}") from None
        return pair
    name, equals, value = given.partition("=")
    if not (name and equals):
        raise Unusable(f"--metadata {given!r} is neither NAME=VALUE nor a JSON object")
    return {name: value}


def _several(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
