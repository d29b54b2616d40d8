"""The Python client against a running service: what it does, in both twins, and what its errors say."""

from __future__ import annotations

import asyncio
import io
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

import errors as codes
from task_manager_client import (
    AsyncTaskManager,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotConnected,
    NotFound,
    TaskFailed,
    TaskManager,
    TooLarge,
    Unauthorized,
    UnexpectedAnswer,
    WaitTimedOut,
)
from task_manager_client import calls as all_calls
from task_manager_client.answers.tasks import Task
from task_manager_client.calls import tasks as task_calls
from task_manager_client.errors import BY_CODE
from tests import coroutines
from tests.client.conftest import KEY, LARGEST
from tests.client.lossy import Answer, Lossy
from tests.processes import EmbeddedDeployment
from tests.servers import free_port

TEA = "# Tea\n\n## Brewing\n\nGreen tea is brewed at 80 °C.\n\n绿茶要用八十度的水冲泡两分钟。\n"


@pytest.fixture(scope="module")
def tm(service: EmbeddedDeployment) -> Iterator[TaskManager]:
    with TaskManager(service.url, KEY) as tm:
        yield tm


@pytest.fixture
def kb() -> str:
    return f"kb-{uuid.uuid4()}"


def test_a_document_is_uploaded_waited_for_and_found(tm: TaskManager, kb: str, tmp_path: Path) -> None:
    path = tmp_path / "tea.md"
    path.write_text(TEA, encoding="utf-8")
    sent: list[tuple[int, int | None]] = []
    handle = tm.documents.upload(
        kb, path, metadata={"author": "Li"}, priority="high", progress=lambda done, of: sent.append((done, of))
    )
    task = handle.wait(timeout=60).check()
    size = len(TEA.encode())
    assert sent == [(size, size)]
    assert (task.kb_id, task.priority, task.completed) == (kb, "high", True)
    assert isinstance(task.created_at, datetime)
    assert task.created_at.tzinfo is not None
    assert task.document is not None
    assert (task.document.document_id, task.document.chunks) == ("tea.md", 1)
    answer = tm.search(kb, "冲泡绿茶的水温", limit=1, filter={"metadata": {"author": "Li"}})
    assert [(hit.document_id, hit.heading_path) for hit in answer.hits] == [("tea.md", ["Tea", "Brewing"])]
    assert 0 < answer.confidence <= 1
    assert tm.search_kbs([kb], "tea").hits[0].kb_id == kb
    assert [document.document_id for document in tm.documents.list(kb)] == ["tea.md"]
    assert tm.documents.text(kb, "tea.md") == TEA
    assert [chunk.index for chunk in tm.documents.chunks(kb, "tea.md")] == [0]
    assert tm.documents.chunk(kb, "tea.md", 0, around=1).chunk.heading_path == ["Tea", "Brewing"]
    assert tm.documents.change(kb, "tea.md", metadata={"author": "Wu"}).metadata == {"author": "Wu"}
    tm.documents.delete(kb, "tea.md")
    with pytest.raises(NotFound):
        tm.documents.get(kb, "tea.md")


def test_bytes_files_and_pipes_are_uploaded(tm: TaskManager, kb: str) -> None:
    tm.documents.upload(kb, b"one", filename="one.txt").wait(60).check()
    file = io.BytesIO(b"skipped: two")
    file.seek(len(b"skipped: "))
    tm.documents.upload(kb, file, filename="two.txt").wait(60).check()
    reading, writing = os.pipe()
    os.write(writing, b"three")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        tm.documents.upload(kb, pipe, filename="three.txt").wait(60).check()
    texts = {
        document.document_id: tm.documents.text(kb, document.document_id)
        for document in tm.documents.list(kb, page_size=2)
    }
    assert texts == {"one.txt": "one", "two.txt": "two", "three.txt": "three"}
    with pytest.raises(ValueError, match="filename"):
        tm.documents.upload(kb, b"nameless")
    with pytest.raises(FileNotFoundError):
        tm.documents.upload(kb, "/nowhere/at/all.txt")


def test_a_task_is_followed_from_its_state_to_its_end(tm: TaskManager) -> None:
    handle = tm.tasks.submit("benchmark", payload={"seconds": 0.5})
    seen = [str(event.status) for event in handle.watch()]
    assert seen[-1] == "completed"
    assert seen == sorted(seen, key=["queued", "processing", "completed"].index)
    assert handle.wait().completed
    assert handle.why().reason == "ended"


def test_waiting_ends_in_time_and_says_how_far_it_was(tm: TaskManager) -> None:
    handle = tm.tasks.submit("test", run_at=datetime(2100, 1, 1, tzinfo=UTC))
    began = time.monotonic()
    with pytest.raises(WaitTimedOut) as raised:
        handle.wait(timeout=0.7)
    assert time.monotonic() - began > 0.6
    assert isinstance(raised.value, TimeoutError)
    assert isinstance(raised.value.last, Task)
    assert handle.why().reason == "scheduled"
    handle.cancel()
    with pytest.raises(TaskFailed, match="cancelled"):
        handle.wait().check()
    with pytest.raises(Conflict):
        handle.cancel()


def test_a_failed_task_tells_its_code_and_what_to_do(tm: TaskManager, kb: str) -> None:
    with pytest.raises(TaskFailed) as raised:
        tm.documents.upload(kb, b"", filename="empty.txt").wait(60).check()
    assert raised.value.code == "empty"
    assert raised.value.hint == codes.CODES["empty"].hint
    assert raised.value.hint_zh == codes.CODES["empty"].hint_zh


def test_a_batch_is_waited_for_and_its_tasks_are_listed_page_by_page(tm: TaskManager) -> None:
    batch = tm.tasks.submit_batch([{"task_type": "test"}, {"task_type": "test"}, {"task_type": "nonsense"}])
    assert batch.accepted is not None
    assert (batch.accepted.accepted, batch.accepted.rejected) == (2, 1)
    assert batch.accepted.tasks[2].error is not None
    assert batch.accepted.tasks[2].error.errors[0].field == "task_type"
    assert batch.wait(60).counts.completed == 2
    assert [event.type for event in batch.watch()][-1] == "batch.completed"
    listed = list(tm.tasks.list(batch_id=batch.batch_id, page_size=1))
    assert {task.task_id for task in listed} == {task.task_id for task in batch.accepted.tasks if task.task_id}
    assert list(tm.tasks.list(batch_id=batch.batch_id, status=["failed", "cancelled"])) == []


def test_many_tasks_are_previewed_cancelled_and_brought_back(tm: TaskManager, kb: str) -> None:
    later = datetime(2100, 1, 1, tzinfo=UTC)
    for _ in range(3):
        tm.tasks.submit("test", kb, run_at=later)
    assert tm.tasks.preview_cancel(kb_id=kb).count == 3
    bulk = tm.tasks.cancel_all(kb_id=kb)
    assert bulk.wait(60).check().result == {"action": "cancel", "changed": 3, "refused": 0}
    assert {item.outcome for item in tm.tasks.items(bulk.task_id)} == {"changed"}
    assert tm.tasks.preview_retry(kb_id=kb, status="cancelled").count == 3
    bulk.undo().wait(60).check()
    assert {task.status for task in tm.tasks.list(kb_id=kb, task_type="test")} == {"waiting"}
    tm.tasks.prioritise_all("urgent", kb_id=kb).wait(60).check()
    assert {task.priority for task in tm.tasks.list(kb_id=kb, task_type="test")} == {"urgent"}
    tm.kbs.delete(kb).wait(60).check()


def test_the_tasks_of_the_batches_of_a_filter_are_cancelled_and_that_is_undone(tm: TaskManager, kb: str) -> None:
    later = datetime(2100, 1, 1, tzinfo=UTC)
    batch = tm.tasks.submit_batch([{"task_type": "test", "kb_id": kb, "run_at": later}] * 2)
    assert tm.batches.preview_cancel(kb_id=kb, status="processing").count == 2
    bulk = tm.batches.cancel_all(kb_id=kb, status="processing")
    assert bulk.wait(60).check().result == {"action": "cancel", "changed": 2, "refused": 0}
    assert tm.batches.preview_retry(kb_id=kb, include_permanent=True).count == 0, "none has failed"
    assert tm.batches.retry_all(kb_id=kb).wait(60).check().result == {"action": "retry", "changed": 0, "refused": 0}
    bulk.undo().wait(60).check()
    assert batch.get().counts.waiting == 2
    batch.cancel()


def test_documents_are_listed_by_filters_read_as_they_came_and_taken_in_again(tm: TaskManager, kb: str) -> None:
    for name, said in {"a.md": {"year": 2026, "lang": "de"}, "b.txt": {"year": 2025, "lang": "en"}}.items():
        tm.documents.submit(kb, content=f"# {name}", document_id=name, filename=name, metadata=said).wait(60).check()

    def listed(**query: Any) -> list[str]:
        return [document.document_id for document in tm.documents.list(kb, **query)]

    assert listed(sort="-document_id") == ["b.txt", "a.md"]
    assert listed(metadata={"year": 2026}) == listed(prefix="a") == ["a.md"]
    assert listed(metadata={"lang": ["de", "en"], "year": 2025}) == ["b.txt"]
    assert listed(updated_after=datetime(2100, 1, 1, tzinfo=UTC)) == listed(state="failed") == []
    assert tm.documents.get(kb, "a.md").state == "current"
    assert tm.documents.original(kb, "a.md") == b"# a.md"
    assert tm.tasks.preview_reingest(kb_id=kb).count == 2
    result = tm.tasks.reingest_all(kb_id=kb, document_id="a.md").wait(60).check().result
    assert result == {"action": "reingest", "changed": 1, "refused": 0}


def test_what_operators_ask_for_is_read(tm: TaskManager, kb: str) -> None:
    assert tm.session().role == "operate"
    assert tm.health().status == tm.ready().status == "ok"
    paused = tm.queues.pause("callback", reason="moving")
    assert not tm.queues.resume("callback").paused
    assert (paused.paused, paused.paused_by, paused.reason) == (True, "kb", "moving")
    assert "callback" in {queue.queue for queue in tm.queues.list().queues}
    newest = next(tm.audit(action="queue.resume"))
    assert (newest.name, newest.target.id) == ("kb", "callback")
    assert tm.stats.workers().workers[0].threads > 0
    assert tm.stats.overview().threads > 0
    assert tm.stats.scale().workers == 1
    assert tm.stats.history("completed", window="1h").window == "1h"
    assert {group.code for group in tm.stats.errors().errors} <= codes.CODES.keys()
    assert list(tm.callbacks.list(kb_id=kb)) == []
    assert tm.callbacks.preview_redeliver(kb_id=kb).count == 0
    assert tm.documents.preview("Hello.", chunk_size=100).chunks[0].text == "Hello."
    assert tm.documents.preview_upload(b"Hello.", filename="a.txt").format == "text"
    assert tm.kbs.change(kb, chunk_size=500).settings.chunk_size == 500
    assert kb in {entry.kb_id for entry in tm.kbs.list()}
    assert [entry.kb_id for entry in tm.kbs.list(prefix=kb)] == [kb]


def test_a_schedule_is_made_run_changed_and_deleted(tm: TaskManager, kb: str) -> None:
    task = {"task_type": "test", "kb_id": kb, "payload": {"message": "hello"}}
    made = tm.schedules.create("30 2 * * *", task, name="nightly", timezone="Europe/Berlin")
    assert (made.kb_id, made.next_due_at is None) == (kb, False)
    assert tm.schedules.run(made.schedule_id).wait(60).check().kb_id == kb
    assert tm.schedules.pause(made.schedule_id).paused_at
    assert tm.schedules.change(made.schedule_id, name="weekly", cron="0 3 * * 1").name == "weekly"
    assert tm.schedules.resume(made.schedule_id).paused_at is None
    assert [schedule.schedule_id for schedule in tm.schedules.list(kb_id=kb)] == [made.schedule_id]
    tm.schedules.delete(made.schedule_id)
    with pytest.raises(NotFound):
        tm.schedules.get(made.schedule_id)


def test_the_twin_does_the_same(service: EmbeddedDeployment, kb: str) -> None:
    async def use() -> None:
        async with AsyncTaskManager(service.url, KEY) as tm:
            one, other = await asyncio.gather(
                tm.documents.upload(kb, TEA.encode(), filename="tea.md"),
                tm.documents.submit(kb, content="Black tea.", document_id="black"),
            )
            assert (await one.wait(60)).check().completed
            assert [event.status async for event in other.watch()][-1] == "completed"
            assert {document.document_id async for document in tm.documents.list(kb, page_size=1)} == {
                "tea.md",
                "black",
            }
            assert (await tm.search(kb, "green tea")).hits[0].document_id == "tea.md"
            batch = await tm.tasks.submit_batch([{"task_type": "test"}])
            assert (await batch.wait(60)).counts.completed == 1
            with pytest.raises(NotFound):
                await tm.tasks.get("nothing")
            scheduled = await tm.tasks.submit("test", run_at=datetime(2100, 1, 1, tzinfo=UTC))
            with pytest.raises(WaitTimedOut):
                await scheduled.wait(timeout=0.5)
            await scheduled.cancel()

    coroutines.run(use())


def test_everything_that_happens_is_followed(tm: TaskManager) -> None:
    events = tm.events()
    assert next(events).type == "open"
    handle = tm.tasks.submit("test")
    assert any(event.task_id == handle.task_id and event.status == "completed" for event in events)


def test_the_same_call_sent_twice_is_done_once(tm: TaskManager) -> None:
    call = task_calls.submit_task("test", payload={"message": "once"})
    assert tm.send(call).task_id == tm.send(call).task_id


def test_a_refusal_has_a_class_a_code_and_hints(tm: TaskManager, service: EmbeddedDeployment, kb: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        tm.tasks.submit("nonsense", retry_limit=99)
    assert raised.value.code == "invalid_request"
    assert [error["field"] for error in raised.value.errors] == ["task_type", "retry_limit"]
    assert raised.value.hint_zh == codes.REFUSALS["invalid_request"].hint_zh
    assert raised.value.request_id
    with TaskManager(service.url, "r3ad") as reader, pytest.raises(Forbidden, match="forbidden_role"):
        reader.tasks.submit("test")
    with TaskManager(service.url, "wrong") as nobody, pytest.raises(Unauthorized):
        nobody.tasks.get("x")
    with pytest.raises(TooLarge):
        tm.documents.upload(kb, bytes(LARGEST + 8 * 1024 * 1024), filename="large.txt")
    with pytest.raises(ValueError, match="time zone"):
        tm.tasks.submit("test", run_at=datetime(2100, 1, 1))  # noqa: DTZ001 - that it has none is what is refused


def test_what_does_not_answer_and_what_is_another_service_are_told_apart() -> None:
    with TaskManager(f"http://127.0.0.1:{free_port()}", retries=0) as nowhere, pytest.raises(NotConnected):
        nowhere.health()
    with (
        Lossy("http://127.0.0.1:1", lambda _: Answer(200)) as other,
        TaskManager(other.url) as tm,
        pytest.raises(UnexpectedAnswer, match="200"),
    ):
        tm.health()
    for url in ("localhost:8084", "ftp://localhost", "http://"):
        with pytest.raises(ValueError, match="address"):
            TaskManager(url)


def test_every_refusal_of_the_service_has_its_class() -> None:
    assert codes.REFUSALS.keys() <= BY_CODE.keys()


def test_every_call_that_names_an_operation_is_one_of_the_service(service: EmbeddedDeployment) -> None:
    own = {"submit_document", "preview_upload"}
    own |= {"preview_cancel", "preview_retry", "preview_prioritise", "preview_delete", "preview_redeliver"}
    own |= {"preview_reingest", "preview_cancel_batches", "preview_retry_batches"}
    document = httpx2.get(f"{service.url}/openapi.json").json()
    operations = {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if "operationId" in operation
    }
    folder = Path(all_calls.__file__).parent
    named = {
        line.split("(")[0].removeprefix("def ")
        for path in folder.glob("*.py")
        if path.stem not in ("following", "options", "streams")
        for line in path.read_text().splitlines()
        if line.startswith("def ") and not line.startswith("def _")
    }
    assert named - own <= operations
    assert len(named) > 40
