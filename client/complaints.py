"""What is said on standard error: why a document failed and what to do, doubts about others, what is left behind."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from client.hits import printable
from client.submission import Document

_console = Console(stderr=True, highlight=False)


def complain(line: str) -> None:
    """Say one thing."""
    _console.print(Text(printable(line)), soft_wrap=True)


def reads_chinese() -> bool:
    """Whether whoever runs the command has a Chinese locale."""
    return (os.environ.get("LC_ALL") or os.environ.get("LANG") or "").startswith("zh")


def report(documents: Sequence[Document], *, followed: bool) -> None:
    """Say what bars and lines have no room for. `followed`: their ends were waited for."""
    for document in documents:
        name = document.path.name
        error = document.task.get("error")
        if document.refusal is not None:
            complain(f"{name}: {document.refusal}")
        elif error is not None:
            hint = error["hint_zh"] if reads_chinese() else error["hint"]
            complain(f"{name}: {error['code']} in {error['stage']}: {error['message']}\n  {hint}")
        elif followed and document.task_id is None:
            complain(f"{name}: was not uploaded")
        elif followed and not document.ended:
            where = f"{document.state}, {int(document.percent)} %"
            complain(f"{name}: not finished yet ({where}); the service goes on with task {document.task_id}")
        for warning in (document.task.get("result") or {}).get("warnings", ()):
            complain(f"{name}: {warning}")
