"""What options hold besides words and numbers: metadata, JSON, and what is read from a file."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from task_manager_client.command.sources import Unusable


def said(arguments: Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return the options of these names that the command line has, by their names in REST."""
    values = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in values.items() if value is not None and value is not False and value != []}


def metadata(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the metadata that NAME=VALUE, or JSON objects, say; what comes later takes the place of its name.

    Raises:
      Unusable: one of them is neither.
    """
    pairs: dict[str, Any] = {}
    for argument in arguments:
        pairs |= _pair(argument)
    return pairs


def wanted_metadata(arguments: Sequence[str]) -> dict[str, Any]:
    """Return metadata as a filter: of a name that is there more than once any value will do.

    Raises:
      Unusable: one of them is neither NAME=VALUE nor a JSON object.
    """
    wanted: dict[str, Any] = {}
    for argument in arguments:
        for name, value in _pair(argument).items():
            if name in wanted:
                wanted[name] = [*_several(wanted[name]), *_several(value)]
            else:
                wanted[name] = value
    return wanted


def from_file(option: str, argument: str) -> str:
    """Return what an option holds, or what is in the file where it is @FILE.

    Raises:
      Unusable: the file cannot be read.
    """
    if not argument.startswith("@"):
        return argument
    try:
        return Path(argument[1:]).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Unusable(f"{option} {argument} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def json_object(option: str, argument: str) -> Mapping[str, Any]:
    """Return the JSON object that an option holds, or its file.

    Raises:
      Unusable: it holds none.
    """
    try:
        value = json.loads(from_file(option, argument))
    except ValueError as error:
        raise Unusable(f"{option} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unusable(f'{option} is no JSON object, such as {{"task_type": "test"}}')
    return value


def _pair(argument: str) -> dict[str, Any]:
    if argument.lstrip().startswith("{"):
        try:
            pair: dict[str, Any] = json.loads(argument)
        except ValueError as error:
            raise Unusable(f"--metadata {argument!r} is no JSON object: {error}") from None
        return pair
    name, equals, value = argument.partition("=")
    if not (name and equals):
        raise Unusable(f"--metadata {argument!r} is neither NAME=VALUE nor a JSON object")
    return {name: value}


def _several(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
