"""Documents on their way, as they are shown: a bar for each on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from client.submission import Document


def display(console: Console, documents: int) -> Bars | Lines:
    """Return what fits the place that the console writes to. A log is no terminal, even if it has colours."""
    return Bars(console, documents) if console.is_interactive and sys.stdout.isatty() else Lines(console)


class Lines:
    """One line for each state of a document, for logs, pipes and whatever else keeps what it is sent."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[Path, str] = {}

    def show(self, document: Document) -> None:
        """Write a line where the document's state is a new one; how much is uploaded is none."""
        if document.task_id is None and document.refusal is None:
            return
        if self._shown.get(document.path) != document.state:
            self._shown[document.path] = document.state
            self._console.print(_line(document), soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: every line is written already."""


class Bars:
    """One bar for each document. Where a screen cannot hold them all, those that have ended scroll away as lines."""

    def __init__(self, console: Console, documents: int) -> None:
        self._scrolling = documents > console.height - 2
        self._bars: dict[Path, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=28)),
            BarColumn(bar_width=20, complete_style="cyan", finished_style="green"),
            _Percent(),
            _State(table_column=Column(no_wrap=True)),
            console=console,
        )

    def show(self, document: Document) -> None:
        """Move the document's bar."""
        if document.path not in self._bars:
            self._bars[document.path] = self._progress.add_task(document.path.name, document=document)
        scrolls = self._scrolling and document.ended
        self._progress.update(self._bars[document.path], completed=document.percent, visible=not scrolls)
        if scrolls:
            self._progress.console.print(_line(document), soft_wrap=True)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class _Percent(ProgressColumn):
    """Rounded down: nothing is at 100 % that is not done."""

    def render(self, task: Task) -> Text:
        return Text(f"{int(task.completed):>3} %")


class _State(ProgressColumn):
    """Where a document stands."""

    def render(self, task: Task) -> Text:
        return _state(task.fields["document"])


def _state(document: Document) -> Text:
    good, bad = document.completed, document.ended and not document.completed
    return Text(document.state, style="green" if good else "red" if bad else "cyan")


def _line(document: Document) -> Text:
    # With its task's id once, so that whoever reads the log can ask for it.
    accepted = f" as task {document.task_id}" if document.task_id and document.task == {} else ""
    return Text.assemble(f"{document.path.name}: ", _state(document), accepted)
