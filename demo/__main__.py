"""Starts the service, takes in the samples, asks in two languages, checks the answers, and stops."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from demo.service import EmbeddedService, NotStarted
from task_manager_client import AsyncTaskManager, Hit, TaskManagerError
from task_manager_client.command import hits, progress, summary
from task_manager_client.command.complaints import complain, remedy
from task_manager_client.command.sources import Named
from task_manager_client.command.submitting import Submission

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
FILES = ("field-guide.pdf", "museum-handbook.docx", "tea-garden.txt")
KB = "demo"
#: Where `make run` keeps its data.
DATA = Path(os.environ.get("DATA_DIR") or ".data")
NOT_KEPT = f"Nothing is left behind. `make run` keeps it running, with what is in {DATA} already."


@dataclass(frozen=True)
class Question:
    """A query, and where its answer stands."""

    query: str
    document_id: str
    heading: str
    page: int | None = None


QUESTIONS = (
    Question("Which bird calls like a bell heard under water?", "field-guide.pdf", "Bell Petrel", page=2),
    Question("How many days of paid leave are there?", "museum-handbook.docx", "Leave"),
    Question("tickets for a family in summer", "museum-handbook.docx", "Opening Hours and Tickets"),
    Question("特级绿茶用多少度的水冲泡？", "tea-garden.txt", "第三章 冲泡与贮藏"),
    Question("游客几点有普通话讲解？", "museum-handbook.docx", "致中国游客"),
)

console = Console(highlight=False)


def main() -> int:
    """Show the service at work; return 0 when every answer was found where it stands, else 1."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    began = time.monotonic()
    console.print("Starting PostgreSQL, web, worker and clock in one process …")
    try:
        with EmbeddedService() as service:
            console.print(f"Ready after {time.monotonic() - began:.1f} s.\n")
            good = asyncio.run(show(service.url))
            if good:
                service.keep_in(DATA)
    except NotStarted as error:
        complain(f"demo: the service did not start: {error}")
        return 1
    except TaskManagerError as error:
        complain(f"demo: {remedy(error)}")
        return 1
    except KeyboardInterrupt:
        complain("demo: interrupted; the service is stopped, nothing is left behind")
        return 130
    console.print(
        f"Stopped after {time.monotonic() - began:.1f} s. "
        + (f"`make run` shows what it took in, which is kept in {DATA}." if service.has_kept else NOT_KEPT)
    )
    return 0 if good else 1


async def show(url: str) -> bool:
    """Take in the samples and ask. Returns whether all went as it should."""
    async with AsyncTaskManager(url) as tm:
        console.print("A PDF, a Word document and a Chinese text in GB18030 become searchable:")
        files = [Named(name, SAMPLES / name, document_id=name) for name in FILES]
        with progress.display(console, len(files)) as display:
            submission = Submission(tm, KB, files, display, {}, follow=True)
            await submission.run()
        summary.report(submission.documents, followed=True)
        if not all(document.completed for document in submission.documents):
            return False
        console.print()
        wrong = [question for question in QUESTIONS if not await ask(tm, question)]
    if not wrong:
        console.print(f"All {len(QUESTIONS)} answers were found where they stand.", style="green")
    return not wrong


async def ask(tm: AsyncTaskManager, question: Question) -> bool:
    """Show the best hit. Returns whether it is the passage that holds the answer."""
    console.print(Text(question.query, style="bold"))
    best = (await tm.search(KB, question.query, limit=1)).hits
    hits.show(console, best)
    if best and is_answer(best[0], question):
        return True
    complain(f"demo: expected {question.document_id}, {question.heading} first")
    return False


def is_answer(hit: Hit, question: Question) -> bool:
    """Return whether a hit is the passage that a question asks for."""
    passage = (hit.document_id, hit.heading_path[-1:], hit.page)
    return passage == (question.document_id, [question.heading], question.page)


if __name__ == "__main__":
    sys.exit(main())
