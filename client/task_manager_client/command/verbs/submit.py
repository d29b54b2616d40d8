"""`tm submit`"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from task_manager_client.async_client import AsyncTaskManager
from task_manager_client.command import progress, summary
from task_manager_client.command.complaints import complain, remedy
from task_manager_client.command.main import DONE, FAILED, INTERRUPTED, TIMED_OUT, UNUSABLE
from task_manager_client.command.output import for_people, show
from task_manager_client.command.sources import Unusable, named
from task_manager_client.command.submitting import Display, Document, Submission
from task_manager_client.command.values import from_file, metadata, said
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
    "force",
)


def submit_(arguments: Namespace) -> int:
    """Submit documents, and follow them where that is asked for."""
    follow = arguments.wait or arguments.timeout is not None
    sources = named(
        arguments.sources, recursive=arguments.recursive, document_id=arguments.document_id, filename=arguments.filename
    )
    headers = headers_of(arguments.header)
    if headers and not all(source.url for source in sources):
        raise Unusable("--header is for URLs alone: submit files by a command of their own")
    options = said(arguments, OPTIONS)
    if arguments.metadata:
        options["metadata"] = metadata(arguments.metadata)
    if headers:
        options["headers"] = headers
    console = Console(highlight=False)
    rows = None if for_people(arguments) else Rows(arguments, follow=follow)
    display = rows or (progress.display(console, len(sources)) if follow else progress.Lines(console))
    done: list[Document] = []
    code = DONE

    async def run(display: Display) -> None:
        async with AsyncTaskManager() as tm:
            submission = Submission(tm, arguments.kb, sources, display, options, follow=follow)
            nonlocal done
            done = submission.documents
            async with asyncio.timeout(arguments.timeout):
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
    if rows is not None:
        rows.end(done)
    return code or _verdict(done, followed=follow)


class Rows:
    """Documents for a program, or as a table of chosen fields: each as REST shows its task, with the name that it has
    here as `source`. Nothing else is printed on standard output then."""

    def __init__(self, arguments: Namespace, *, follow: bool) -> None:
        self._arguments = arguments
        self._follow = follow
        self._shown: set[Document] = set()

    def show(self, document: Document) -> None:
        """Print a document as a line of JSON, where that was asked for, once it has ended or needs no following."""
        known = document.ended if self._follow else document.task_id or document.refusal
        if known and self._arguments.output == "jsonl":
            self._print([document])

    def end(self, documents: Sequence[Document]) -> None:
        """Print what is not printed yet, as it stands."""
        self._print(documents)

    def _print(self, documents: Sequence[Document]) -> None:
        new = [document for document in documents if document not in self._shown]
        self._shown.update(new)
        show([_row(document) for document in new], (), self._arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: what is left is printed by `end`."""


def _row(document: Document) -> dict[str, Any]:
    if document.refusal is not None:
        return {"source": document.name, "status": "refused", "detail": document.refusal}
    answer = document.task or document.accepted
    return {"source": document.name, **(answer.raw if answer is not None else {"status": "not submitted"})}


def headers_of(arguments: Sequence[str]) -> dict[str, str]:
    """Return the headers that `NAME: VALUE`, or the lines of @FILE, say.

    Raises:
      Unusable: one of them is none, which may be a secret and is not quoted; or a file cannot be read.
    """
    lines = [line for argument in arguments for line in (_lines(argument) if argument.startswith("@") else [argument])]
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not (name.strip() and colon):
            raise Unusable("a --header is not NAME: VALUE, such as 'Authorization: Bearer …'; @FILE holds one a line")
        headers[name.strip()] = value.strip()
    return headers


def _lines(file: str) -> list[str]:
    return [line for line in from_file("--header", file).splitlines() if line.strip()]


def _verdict(documents: Sequence[Document], *, followed: bool) -> int:
    if any(document.refusal is not None for document in documents):
        return UNUSABLE
    return FAILED if followed and not all(document.completed for document in documents) else DONE
