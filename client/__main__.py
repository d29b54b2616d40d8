"""The verbs of `tm`, their options, and the exit codes they end with."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from client import complaints, hits, progress, submission
from client.service import Refused, Service, Unusable
from client.submission import Document

#: What a command ends with. The shell's own codes are those of timeout(1) and of Ctrl-C.
ALL_COMPLETED, TASK_FAILED, UNUSABLE, TIMED_OUT, INTERRUPTED = 0, 1, 2, 124, 130

Priority = StrEnum("Priority", ["low", "normal", "high", "urgent"])
Mode = StrEnum("Mode", ["hybrid", "vector", "text"])

console = Console(highlight=False)
tm = typer.Typer(
    help="Submit documents to a knowledge base, and search it. TM_API_URL says where the service is "
    "(http://localhost:8084), TM_API_KEY holds one of its keys if it asks for one.",
    epilog="Exit codes: 0 all completed; 1 a task failed; 2 wrong usage, refused or unreachable; 124 timed out.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Kb = Annotated[str, typer.Option("--kb", help="The knowledge base.")]


@tm.command()
def submit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", exists=True, dir_okay=False, show_default=False)],
    kb: Kb,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the tasks until they end.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Wait so long at most; implies --wait.")
    ] = None,
    document_id: Annotated[
        str | None, typer.Option(metavar="ID", help="For a single file, instead of its name.")
    ] = None,
    priority: Annotated[Priority, typer.Option(help="Whose turn comes first.")] = Priority.normal,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Of texts; found out when not given.")] = None,
) -> None:
    """Upload files as documents of a knowledge base. A document of the same id is replaced."""
    _require_names_of_their_own(files, document_id)
    given = {"document_id": document_id, "priority": str(priority), "encoding": encoding}
    fields = {name: value for name, value in given.items() if value}
    documents = [Document(path) for path in files]
    following = wait or timeout is not None

    async def run() -> None:
        async with _service() as service, asyncio.timeout(timeout):
            await submission.submit(service, kb, documents, display, fields=fields, wait=following)

    code = ALL_COMPLETED
    display = progress.display(console, len(documents)) if following else progress.Lines(console)
    try:
        with display:
            asyncio.run(run())
    except Unusable as error:
        complaints.complain(f"tm: {error}")
        code = UNUSABLE
    except TimeoutError:
        code = TIMED_OUT
    except KeyboardInterrupt:
        code = INTERRUPTED
    complaints.report(documents, followed=following)
    raise typer.Exit(code or _verdict(documents, followed=following))


@tm.command()
def search(
    query: Annotated[str, typer.Argument(show_default=False, help="Words or a question, in any language.")],
    kb: Kb,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many hits.")] = 5,
    mode: Annotated[Mode, typer.Option(help="By words and vectors, or by one of them.")] = Mode.hybrid,
) -> None:
    """Show the passages of a knowledge base that fit a query best."""

    async def run() -> None:
        async with _service() as service:
            found = await service.search(kb, query, limit, str(mode))
        hits.show(console, found)
        if not found:
            complaints.complain(f"tm: nothing in {kb} fits; is the KB's name right, and are its documents completed?")

    _do(run)


@tm.command()
def why(task_id: Annotated[str, typer.Argument(metavar="ID", show_default=False, help="Of a task.")]) -> None:
    """Say why a task does not run, since when, and which tasks it waits for."""

    async def run() -> None:
        async with _service() as service:
            found = await service.why(task_id)
        detail = found["detail_zh"] if complaints.reads_chinese() else found["detail"]
        since = f" since {found['since']}" if found["since"] else ""
        console.print(Text(hits.printable(f"{found['reason']}{since}: {detail}")), soft_wrap=True)
        for each in found["waiting_for"]:
            if each["kind"] == "task":
                console.print(f"  {each['task_id']}: {each['status']}, {each['stage']}", soft_wrap=True)

    _do(run)


def _do(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run what asks the service, and end with UNUSABLE where it cannot be asked or refuses."""
    try:
        asyncio.run(run())
    except (Unusable, Refused) as error:
        complaints.complain(f"tm: {error}")
        raise typer.Exit(UNUSABLE) from None


def _verdict(documents: Sequence[Document], *, followed: bool) -> int:
    if any(document.refusal is not None for document in documents):
        return UNUSABLE
    return TASK_FAILED if followed and not all(document.completed for document in documents) else ALL_COMPLETED


def _require_names_of_their_own(files: Sequence[Path], document_id: str | None) -> None:
    """Refuse two files of one document id, which would replace each other."""
    if document_id is not None and len(files) > 1:
        raise typer.BadParameter("is for a single file", param_hint="--document-id")
    names = [path.name for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise typer.BadParameter(
            f"{', '.join(twice)} is there twice, and would be one document: submit each with its own --document-id",
            param_hint="FILE",
        )


def _service() -> Service:
    return Service(os.environ.get("TM_API_URL") or "http://localhost:8084", os.environ.get("TM_API_KEY"))


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows a question mark, and the command goes on.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    tm()
