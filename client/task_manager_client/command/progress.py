"""Documents on their way, as they are shown: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from task_manager_client.command.submitting import Document


def display(console: Console, documents: int) -> Bars | Lines:
    """Return what fits the place that the console writes to. A log is no terminal, even if it has colours."""
    return Bars(console, documents) if console.is_interactive and sys.stdout.isatty() else Lines(console)


class Lines:
    """One line for each state of a document, for logs, pipes and whatever else keeps what it is sent."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[Document, str] = {}

    def show(self, document: Document) -> None:
        """Write a line where the document's state is a new one; how much is uploaded is none."""
        if document.task_id is None and document.refusal is None:
            return
        if self._shown.get(document) != document.state:
            self._shown[document] = document.state
            self._console.print(_line(document), soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: every line is written already."""


class Bars:
    """A bar for each of the documents that moved last, and one for all of them.

    Where a screen cannot hold them all, those that have ended scroll away as lines.
    """

    def __init__(self, console: Console, documents: int) -> None:
        self._expected = documents
        self._scrolling = documents > console.height - 3
        self._room = max(1, console.height - 3)
        self._bars: dict[Document, TaskID] = {}
        self._ended: set[Document] = set()
        self._began = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=28)),
            BarColumn(bar_width=20, complete_style="cyan", finished_style="green"),
            _Percent(),
            _State(table_column=Column(no_wrap=True)),
            console=console,
        )
        self._whole: TaskID | None = None

    def show(self, document: Document) -> None:
        """Move the document's bar, and that of all."""
        if document not in self._bars:
            self._bars[document] = self._progress.add_task(document.name[-28:], document=document)
            self._expected = max(self._expected, len(self._bars))
            self._scrolling = self._scrolling or len(self._bars) > self._room
        if document.ended and document not in self._ended:
            self._ended.add(document)
            if self._scrolling:
                self._progress.console.print(_line(document), soft_wrap=True)
        scrolls = self._scrolling and document.ended
        self._progress.update(self._bars[document], completed=document.percent, visible=not scrolls)
        self._show_all()

    def _show_all(self) -> None:
        if self._expected < 2:
            return
        # Taken away and added again, it stays below the others.
        if self._whole is not None:
            self._progress.remove_task(self._whole)
        done = len(self._ended) * 100 // self._expected
        self._whole = self._progress.add_task("all", completed=done, state=self._left(), document=None)

    def _left(self) -> str:
        failed = sum(not document.completed for document in self._ended)
        said = f"{len(self._ended)} of {self._expected}" + (f", {failed} failed" if failed else "")
        left = self._expected - len(self._ended)
        if self._ended and left:
            seconds = (time.monotonic() - self._began) / len(self._ended) * left
            said += f", {seconds:.0f} s left" if seconds < 90 else f", {seconds / 60:.0f} min left"
        return said

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
    """Where a document, or all of them, stand."""

    def render(self, task: Task) -> Text:
        document = task.fields["document"]
        return Text(task.fields["state"]) if document is None else _state(document)


def _state(document: Document) -> Text:
    good, bad = document.completed, document.ended and not document.completed
    return Text(document.state, style="green" if good else "red" if bad else "cyan")


def _line(document: Document) -> Text:
    # With its task's id once, so that whoever reads the log can ask for it.
    accepted = f" as task {document.task_id}" if document.task_id and document.task is None else ""
    return Text.assemble(f"{document.name}: ", _state(document), accepted)
