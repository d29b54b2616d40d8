"""`tm submit`"""

from __future__ import annotations

import asyncio
import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from task_manager_client.async_client import AsyncTaskManager
from task_manager_client.command import progress, summary
from task_manager_client.command.complaints import complain, remedy
from task_manager_client.command.main import DONE, FAILED, INTERRUPTED, TIMED_OUT, UNUSABLE
from task_manager_client.command.sources import Unusable, named
from task_manager_client.command.submitting import Display, Document, Submission
from task_manager_client.errors import TaskManagerError

OPTIONS = (
    "priority",
    "encoding",
    "chunk_size",
    "chunk_overlap",
    "chunk_unit",
    "embedder",
    "retry_limit",
    "run_at",
    "callback_url",
)


def submit_(asked: Namespace) -> int:
    """Submit documents, and follow them where that is asked for."""
    follow = asked.wait or asked.timeout is not None
    sources = named(asked.sources, recursive=asked.recursive, document_id=asked.document_id, filename=asked.filename)
    headers = headers_of(asked.header)
    if headers and not all(each.url for each in sources):
        raise Unusable("--header is for URLs alone: submit files by a command of their own")
    options = {name: getattr(asked, name) for name in OPTIONS if getattr(asked, name) is not None}
    if asked.metadata:
        options["metadata"] = metadata(asked.metadata)
    if asked.force:
        options["force"] = True
    if headers:
        options["headers"] = headers
    console = Console(highlight=False)
    display = progress.display(console, len(sources)) if follow else progress.Lines(console)
    done: list[Document] = []
    code = DONE

    async def run(display: Display) -> None:
        async with AsyncTaskManager() as tm:
            submission = Submission(tm, asked.kb, sources, display, options, follow=follow)
            nonlocal done
            done = submission.documents
            async with asyncio.timeout(asked.timeout):
                await submission.run()

    try:
        with display:
            asyncio.run(run(display))
    except TaskManagerError as error:
        complain(f"tm: {remedy(error)}")
        code = UNUSABLE
    except TimeoutError:
        code = TIMED_OUT
    except KeyboardInterrupt:
        code = INTERRUPTED
    if any(document.task_id for document in done) or code != UNUSABLE:
        summary.report(done, followed=follow)
    return code or _verdict(done, followed=follow)


def metadata(given: Sequence[str]) -> dict[str, Any]:
    """Return the metadata that NAME=VALUE, or JSON objects, say.

    Raises:
      Unusable: one of them is neither.
    """
    found: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if each.lstrip().startswith("{"):
            try:
                found |= json.loads(each)
            except ValueError as error:
                raise Unusable(f"--metadata {each!r} is no JSON object: {error}") from None
        elif name and equals:
            found[name] = value
        else:
            raise Unusable(f"--metadata {each!r} is neither NAME=VALUE nor a JSON object")
    return found


def headers_of(given: Sequence[str]) -> dict[str, str]:
    """Return the headers that `NAME: VALUE`, or the lines of @FILE, say.

    Raises:
      Unusable: one of them is none, which may be a secret and is not quoted; or a file cannot be read.
    """
    lines = [line for each in given for line in (_lines(each[1:]) if each.startswith("@") else [each])]
    found = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not (name.strip() and colon):
            raise Unusable("a --header is not NAME: VALUE, such as 'Authorization: Bearer …'; @FILE holds one a line")
        found[name.strip()] = value.strip()
    return found


def _lines(path: str) -> list[str]:
    try:
        return [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise Unusable(f"--header @{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _verdict(documents: Sequence[Document], *, followed: bool) -> int:
    if any(document.refusal is not None for document in documents):
        return UNUSABLE
    return FAILED if followed and not all(document.completed for document in documents) else DONE
