"""What is submitted: files, folders, URLs and standard input, and the id that each has as a document."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from task_manager_client.core.uploads import Source

#: What the service is to fetch; where it may, the operator says.
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class Unusable(Exception):
    """What was named cannot be submitted; the message says why, and what to do."""


@dataclass(frozen=True)
class Named:
    """Something to be submitted.

    Parameters:
      name: as it is shown, and its id unless another is given.
      source: what is uploaded; None: the service fetches `url`.
      document_id: None: the service makes it of the URL.
    """

    name: str
    source: Source | None
    url: str | None = None
    document_id: str | None = None
    filename: str | None = None


def named(
    arguments: Sequence[str], *, recursive: bool, document_id: str | None = None, filename: str | None = None
) -> list[Named]:
    """Return what the arguments name, in order.

    Raises:
      Unusable: one of them names nothing or cannot be read, or two have one id.
    """
    sources = [source for argument in arguments for source in _of(argument, recursive, document_id, filename)]
    if document_id is not None and len(sources) > 1:
        raise Unusable("--document-id is for a single document")
    ids = [source.document_id for source in sources if source.document_id is not None]
    if twice := sorted(
        {source_id for source_id in ids if ids.count(source_id) > 1} if len(ids) != len(set(ids)) else ()
    ):
        raise Unusable(
            f"{', '.join(twice)} is there twice, and would be one document: submit each with its own --document-id,"
            " or submit the folder that holds both with -r"
        )
    if not sources:
        raise Unusable("there is no file in what was named; what begins with a dot is left out")
    return sources


def _of(argument: str, recursive: bool, document_id: str | None, filename: str | None) -> list[Named]:
    if argument == "-":
        if not (document_id or filename):
            raise Unusable("standard input has no name: give it a --filename, or a --document-id")
        name = filename or document_id or ""
        return [Named(name, sys.stdin.buffer, document_id=document_id or name, filename=name)]
    if URL.match(argument):
        return [Named(argument, None, url=argument, document_id=document_id, filename=filename)]
    path = Path(argument)
    if path.is_dir():
        if not recursive:
            raise Unusable(f"{argument} is a folder: -r takes what is in it")
        return [Named(below, path / below, document_id=document_id or below) for below in _below(path)]
    if not path.exists():
        raise Unusable(f"there is no file {argument!r}")
    return [Named(path.name, path, document_id=document_id or path.name, filename=filename)]


def _below(folder: Path) -> list[str]:
    """Return the files below a folder as paths with slashes, sorted.

    Raises:
      Unusable: a folder cannot be read.
    """
    names = []
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names += [(Path(place) / name).relative_to(folder).as_posix() for name in files if not name.startswith(".")]
    return sorted(names)


def _refuse(error: OSError) -> None:
    raise Unusable(f"{error.filename} cannot be read: {error.strerror}") from None
