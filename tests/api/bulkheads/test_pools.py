"""Threads in pools apart, and answers that many share."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from sqlalchemy.exc import OperationalError

from api.bulkheads import pools
from api.bulkheads.latest import SOON, Latest, LatestOf
from api.bulkheads.pools import Busy, Pool
from api.bulkheads.providers import FAILURES, Breaker
from models.trouble import why
from tests import coroutines


def test_whoever_finds_no_thread_in_time_is_sent_away_and_its_call_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "WAITS", 0.1)
    go_on = threading.Event()
    made: list[int] = []

    async def ask() -> None:
        pool = Pool("test", 1)
        first = asyncio.create_task(pool.run(go_on.wait))
        await asyncio.sleep(0)
        with pytest.raises(Busy) as refused:
            await pool.run(made.append, 1)
        assert "nothing was done" in str(refused.value.description)
        go_on.set()
        assert await first
        await pool.run(made.append, 2)

    coroutines.run(ask())
    assert made == [2]


def test_what_hangs_does_not_keep_whoever_asked() -> None:
    go_on = threading.Event()

    async def ask() -> None:
        pool = Pool("test", 1)
        with pytest.raises(Busy) as refused:
            await pool.run(go_on.wait, seconds=0.1)
        assert "is unknown" in str(refused.value.description)
        go_on.set()

    coroutines.run(ask())


def test_the_line_before_a_pool_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LINE", 2)
    go_on = threading.Event()

    async def ask() -> None:
        pool = Pool("test", 1)
        calls = [asyncio.create_task(pool.run(go_on.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await pool.run(go_on.wait)
        go_on.set()
        assert all(await asyncio.gather(*calls))

    coroutines.run(ask())


def shared(question: Callable[[], Any], **more: float) -> Latest[Any]:
    return Latest(question, Pool("test", 1), **{"fresh": 60.0, "oldest": 60.0, "patience": 5.0, **more})


def test_however_many_ask_the_question_is_asked_once() -> None:
    asked: list[int] = []

    def question() -> int:
        asked.append(1)
        return len(asked)

    async def ask() -> list[Any]:
        latest = shared(question)
        first = await asyncio.gather(*(latest.get() for _ in range(100)))
        return [*first, await latest.get()]

    assert set(coroutines.run(ask())) == {1}


def test_who_asks_the_same_shares_an_answer_and_the_last_ones_are_kept() -> None:
    asked: list[str] = []

    def question(name: str) -> str:
        asked.append(name)
        return name.upper()

    async def ask() -> None:
        kept = LatestOf(question, Pool("test", 1), most=2, fresh=60.0, oldest=60.0, patience=5.0, meanwhile=0.0)
        assert await asyncio.gather(*(kept.get(name) for name in "abab")) == ["A", "B", "A", "B"]
        assert await kept.get("c") == "C"
        assert await kept.get("b") == "B"
        assert asked == ["a", "b", "c"]
        assert await kept.get("a") == "A"
        assert asked == ["a", "b", "c", "a"], "it was the last to be asked for of three"

    coroutines.run(ask())


def test_nobody_waits_for_a_dear_answer_while_there_is_one_that_is_not_too_old() -> None:
    asked: list[float] = []
    go_on = threading.Event()
    go_on.set()

    def question() -> int:
        assert go_on.wait(5)
        asked.append(time.monotonic())
        while time.monotonic() < asked[-1] + 2 * SOON:
            pass
        return len(asked)

    async def ask() -> None:
        latest = shared(question, fresh=0.0, oldest=0.0, meanwhile=60.0)
        assert await latest.get() == 1
        go_on.clear()
        assert await latest.get() == await latest.get() == 1, "the next is being taken"
        go_on.set()
        assert latest._asking is not None
        assert await latest._asking == 2
        assert await latest.get() == 2

    coroutines.run(ask())


def test_an_answer_that_is_old_or_an_error_is_asked_for_again() -> None:
    answers = iter([1, ValueError("away"), None])

    def question() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def ask() -> None:
        latest = shared(question, fresh=0.0, oldest=0.0)
        assert await latest.get() == 1
        with pytest.raises(ValueError, match="away"):
            await latest.get()
        assert await latest.get() is None

    coroutines.run(ask())


def test_a_provider_that_failed_is_left_alone_and_then_tried_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.bulkheads.providers.PAUSE", 0.0)
    breaker = Breaker()
    for _ in range(FAILURES):
        assert not breaker.is_open()
        breaker.failed()
    monkeypatch.setattr("api.bulkheads.providers.PAUSE", 60.0)
    assert not breaker.is_open(), "the pause is over: one may try"
    assert breaker.is_open(), "and no other"
    breaker.answered()
    assert not breaker.is_open()


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ('connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused', "connection refused"),
        ('FATAL:  password authentication failed for user "tasks"', "it refuses the password"),
        ("FATAL:  sorry, too many clients already", "it has too many connections"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "too many"),
        ('FATAL:  database "tasks" does not exist', "the database does not exist"),
        ("FATAL:  the database system is starting up", "it is starting or stopping"),
        ("server closed the connection unexpectedly", "the connection was lost"),
        ('could not translate host name "db" to address', "the host name cannot be resolved"),
        ("something about secret:s3cret@db", "OperationalError"),
    ],
)
def test_a_cause_is_named_and_nothing_that_the_server_quotes(said: str, cause: str) -> None:
    sentence = why(OperationalError(None, None, psycopg2.OperationalError(said)))
    assert cause in sentence
    assert not {"tasks", "s3cret", "10.0.0.1"} & set(sentence.replace(":", " ").split())
