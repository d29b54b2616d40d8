"""The Python client on a bad network: answers that are lost, routers that refuse, hold back and cut off."""

from __future__ import annotations

import asyncio
import io
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from task_manager_client import (
    AsyncTaskManager,
    ConnectionLost,
    NotFound,
    RateLimited,
    ReadTimedOut,
    Retry,
    TaskManager,
    Timeouts,
    TotalTimedOut,
    Unavailable,
)
from task_manager_client.calls import following
from tests import coroutines
from tests.client.conftest import KEY
from tests.client.lossy import Answer, Asked, Cut, Does, Lose, Lossy, once
from tests.processes import EmbeddedDeployment


def posts(asked: Asked) -> bool:
    return asked.method == "POST"


def in_turn(*all_done: Does, when: Callable[[Asked], bool]) -> Callable[[Asked], Does]:
    """Do one thing after the other to the requests of a kind; those that follow are passed on."""
    left = list(all_done)
    return lambda asked: left.pop(0) if left and when(asked) else None


@pytest.fixture
def retries() -> list[Retry]:
    return []


def test_an_answer_that_is_lost_does_not_double_the_task(service: EmbeddedDeployment, retries: list[Retry]) -> None:
    kb = f"kb-{uuid.uuid4()}"
    with Lossy(service.url, once(Lose(), when=posts)) as net, TaskManager(net.url, KEY, on_retry=retries.append) as tm:
        tm.tasks.submit("test", kb).wait(60).check()
        assert len(list(tm.tasks.list(kb_id=kb))) == 1
    first, second = [asked for asked in net.asked if posts(asked)]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert [(retry.attempt, type(retry.error)) for retry in retries] == [(1, ConnectionLost)]


def test_an_upload_whose_answer_is_lost_is_sent_again_whole(service: EmbeddedDeployment) -> None:
    kb = f"kb-{uuid.uuid4()}"
    with Lossy(service.url, once(Lose(), when=posts)) as net, TaskManager(net.url, KEY) as tm:
        file = io.BytesIO(b"skipped: read twice")
        file.seek(len(b"skipped: "))
        tm.documents.upload(kb, file, filename="a.txt").wait(60).check()
        assert tm.documents.text(kb, "a.txt") == "read twice"
        assert len(list(tm.tasks.list(kb_id=kb))) == 1


def test_what_cannot_be_sent_twice_is_not(service: EmbeddedDeployment) -> None:
    with (
        Lossy(service.url, once(Lose(), when=posts)) as net,
        TaskManager(net.url, KEY) as tm,
        pytest.raises(ConnectionLost),
    ):
        tm.tasks.retry(str(uuid.uuid4()))
    assert len(net.asked) == 1


def test_a_deletion_whose_answer_is_lost_is_done_and_one_of_nothing_is_refused(service: EmbeddedDeployment) -> None:
    kb = f"kb-{uuid.uuid4()}"
    losing = once(Lose(), when=lambda asked: asked.method == "DELETE")
    with Lossy(service.url, losing) as net, TaskManager(net.url, KEY) as tm:
        tm.documents.upload(kb, b"Tea.", filename="a.txt").wait(60).check()
        at = datetime(2026, 11, 1, tzinfo=UTC)
        assert tm.documents.change(kb, "a.txt", metadata={"at": at}).metadata == {"at": at.isoformat()}
        tm.documents.delete(kb, "a.txt")
        assert [asked.method for asked in net.asked].count("DELETE") == 2
        with pytest.raises(NotFound):
            tm.documents.delete(kb, "a.txt")


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(service: EmbeddedDeployment, retries: list[Retry], status: int) -> None:
    refusing = once(Answer(status, {"retry-after": "1"}), when=lambda _: True)
    with Lossy(service.url, refusing) as net, TaskManager(net.url, KEY, on_retry=retries.append) as tm:
        began = time.monotonic()
        tm.tasks.submit("test")
        assert time.monotonic() - began >= 1
    assert [(retry.pause, type(retry.error)) for retry in retries] == [
        (1.0, RateLimited if status == 429 else Unavailable)
    ]


def test_a_pause_that_would_outlast_the_total_is_not_begun(service: EmbeddedDeployment, retries: list[Retry]) -> None:
    with (
        Lossy(service.url, lambda _: Answer(503, {"retry-after": "60"})) as net,
        TaskManager(net.url, KEY, timeouts=Timeouts(total=5), on_retry=retries.append) as tm,
    ):
        with pytest.raises(Unavailable) as raised:
            tm.health()
        assert raised.value.retry_after == 60
    assert (retries, len(net.asked)) == ([], 1)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of something that takes requests and says nothing."""
    end = threading.Event()
    with Lossy("http://127.0.0.1:1", lambda _: (end.wait(30) and None) or Answer(500)) as net:
        yield net.url
        end.set()


def test_silence_and_the_whole_time_are_two_time_outs(silent: str) -> None:
    with TaskManager(silent, retries=0, timeouts=Timeouts(read=0.3)) as tm, pytest.raises(ReadTimedOut):
        tm.health()
    with TaskManager(silent, timeouts=Timeouts(read=0.4, total=1)) as tm, pytest.raises(TotalTimedOut):
        tm.health()

    async def use() -> None:
        async with AsyncTaskManager(silent, timeouts=Timeouts(total=0.5)) as tm:
            with pytest.raises(TotalTimedOut):
                await tm.health()

    coroutines.run(use())


def test_an_upload_has_its_own_time_out_with_threads_too() -> None:
    with (
        Lossy("http://127.0.0.1:1", lambda _: Answer(500)) as net,
        TaskManager(net.url, timeouts=Timeouts(upload=0.3)) as tm,
        pytest.raises(TotalTimedOut),
    ):
        tm.documents.upload("kb", bytes(4_000_000), filename="a", progress=lambda _, __: time.sleep(0.1))


def test_more_calls_than_a_hundred_are_under_way_at_once() -> None:
    together = threading.Barrier(105)

    def answered(_: Asked) -> Does:
        together.wait(20)
        return Answer(503)

    async def use(url: str) -> None:
        async with AsyncTaskManager(url, retries=0) as tm:
            calls = [tm.health() for _ in range(together.parties)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(result) for result in results} == {Unavailable}

    with Lossy("http://127.0.0.1:1", answered) as net:
        coroutines.run(use(net.url))


def test_a_stream_that_is_cut_is_resumed_without_loss_or_double(service: EmbeddedDeployment) -> None:
    cut = once(Cut(after=250), when=lambda asked: asked.path.endswith("/events"))
    with Lossy(service.url, cut) as net, TaskManager(net.url, KEY) as tm:
        handle = tm.tasks.submit("benchmark", payload={"seconds": 1})
        seen = [(event.status, event.progress) for event in handle.watch()]
    assert len(seen) == len(set(seen))
    assert seen[-1] == ("completed", 100.0)
    assert "last-event-id" in net.asked[-1].headers


def test_a_stream_is_resumed_after_429_and_the_callers_own_time_is_not_counted(
    service: EmbeddedDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE", 0.5)
    monkeypatch.setattr(following, "AGAIN", 0.2)
    refusals = (Answer(429, {"retry-after": "1"}), Answer(503))
    cut = in_turn(Cut(after=250), *refusals, when=lambda asked: asked.path.endswith("/events"))
    with Lossy(service.url, cut) as net, TaskManager(net.url, KEY) as tm:
        handle = tm.tasks.submit("benchmark", payload={"seconds": 0.5})
        seen = []
        for event in handle.watch():
            seen.append(event.status)
            time.sleep(0.6 if len(seen) == 1 else 0)
    assert seen[-1] == "completed"
    assert [asked.path.endswith("/events") for asked in net.asked].count(True) == 4


def test_waiting_outlasts_429_and_goes_on_by_wait(service: EmbeddedDeployment) -> None:
    def refused(asked: Asked) -> Does:
        return Answer(404) if asked.path.endswith("/events") else limited(asked)

    limited = in_turn(Answer(429, {"retry-after": "1"}), when=lambda asked: "wait=" in asked.path)
    with Lossy(service.url, refused) as net, TaskManager(net.url, KEY) as tm:
        handle = tm.tasks.submit("benchmark", payload={"seconds": 1})
        began = time.monotonic()
        handle.wait(60).check()
        assert time.monotonic() - began >= 1
    assert [asked.path.partition("?")[2] for asked in net.asked[2:]] == ["wait=20.0"] * 2


def test_it_waits_where_events_do_not_come_through(service: EmbeddedDeployment) -> None:
    def no_events(asked: Asked) -> Does:
        return Answer(404) if asked.path.endswith("/events") else None

    with Lossy(service.url, no_events) as net, TaskManager(net.url, KEY) as tm:
        tm.tasks.submit("benchmark", payload={"seconds": 0.5}).wait(60).check()
    assert [asked.path.partition("?")[2] for asked in net.asked[2:]] == ["wait=20.0"]


def test_it_waits_where_nothing_that_takes_long_comes_through(service: EmbeddedDeployment) -> None:
    def nothing_long(asked: Asked) -> Does:
        if asked.path.endswith("/events"):
            return Answer(404)
        return Answer(504) if "wait=" in asked.path else None

    with Lossy(service.url, nothing_long) as net, TaskManager(net.url, KEY) as tm:
        tm.tasks.submit("test", run_at="2100-01-01T00:00:00Z")
        handle = tm.tasks.submit("benchmark", payload={"seconds": 2})
        handle.wait(60).check()
    looks = [asked for asked in net.asked if asked.method == "GET" and "wait=" not in asked.path][1:]
    assert len(looks) > 1
    assert any("if-none-match" in asked.headers for asked in looks)
