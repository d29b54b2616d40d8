"""A program that uses the client; the type checker holds what it says of types, in strict mode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import assert_type

from task_manager_client import AsyncTaskHandle, AsyncTaskManager, Task, TaskHandle, TaskManager
from task_manager_client.answers.documents import Document, Found
from task_manager_client.answers.tasks import ProcessedDocument, Status


def blocking(tm: TaskManager) -> list[str]:
    """Submit, wait and search."""
    handle = tm.documents.upload("kb", b"Tea.", filename="tea.txt", priority="high", metadata={"author": "Li"})
    assert_type(handle, TaskHandle)
    task = handle.wait(timeout=60).check()
    assert_type(task, Task)
    assert_type(task.status, Status)
    assert_type(task.finished_at, datetime | None)
    assert_type(task.document, ProcessedDocument | None)
    assert_type(tm.tasks.list(kb_id="kb", status=["failed"]), Iterator[Task])
    answer = tm.search("kb", "tea", limit=3)
    assert_type(answer, Found)
    return [hit.text for hit in answer.hits]


async def not_blocking(tm: AsyncTaskManager) -> list[str]:
    """Do the same with the twin."""
    handle = await tm.documents.upload("kb", b"Tea.", filename="tea.txt")
    assert_type(handle, AsyncTaskHandle)
    assert_type(await handle.wait(timeout=60), Task)
    assert_type(tm.documents.list("kb"), AsyncIterator[Document])
    answer = await tm.search("kb", "tea")
    assert_type(answer, Found)
    return [hit.text for hit in answer.hits]


def wrong(tm: TaskManager) -> None:
    """Make mistakes that the type checker must find: an ignore that is not needed is an error as well."""
    tm.tasks.get(7)  # type: ignore[arg-type]
    tm.tasks.list(colour="red")  # type: ignore[call-arg]
    tm.documents.upload("kb", b"", filename="a", priority="soon")  # type: ignore[arg-type]
    tm.search("kb", "tea").hitz  # type: ignore[attr-defined]  # noqa: B018 - is there for its error


if __name__ == "__main__":
    with TaskManager() as tm:
        print(blocking(tm))
