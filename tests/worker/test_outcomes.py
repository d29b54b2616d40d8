"""What becomes of an attempt that did not go well: by its error, what the row says and what the submitter is told."""

from __future__ import annotations

from typing import Any

import pytest
from dramatiq.middleware.time_limit import TimeLimitExceeded
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from errors import TaskError
from tasks.working.claim import Claim
from tests.actors.conftest import Bench
from worker import outcomes
from worker.holding import HandBack, Lost
from worker.process import PROCESS

AWAY = OperationalError("SELECT 1", {}, Exception("server closed the connection unexpectedly"))


def held(bench: Bench, **fields: Any) -> Claim:
    return bench.held(bench.submit(**fields)[0])


def row(bench: Bench, claim: Claim) -> tuple[Any, ...]:
    PROCESS.commits.flush(5)
    task = bench.row(claim.task_id)
    return task.status, task.errors, task.error and task.error["code"]


@pytest.mark.parametrize(
    "exception", [HandBack(), AWAY, InterfaceError("", {}, Exception()), PoolTimeout()], ids=lambda error: type(error)
)
def test_what_the_document_is_not_at_fault_for_is_handed_back_and_costs_nothing(
    bench: Bench, exception: Exception
) -> None:
    claim = held(bench)
    assert not outcomes.record_failure(claim, exception)
    assert row(bench, claim) == ("queued", 0, None)
    assert bench.claim(claim.task_id) is not None, "and another may have it at once"


def test_a_claim_that_is_lost_is_left_to_whoever_has_it(bench: Bench) -> None:
    claim = held(bench)
    assert not outcomes.record_failure(claim, Lost())
    assert row(bench, claim) == ("processing", 0, None)


def test_an_error_that_may_pass_is_put_off(bench: Bench) -> None:
    claim = held(bench)
    assert not outcomes.record_failure(claim, TaskError("fetch_failed", "the host has no address"))
    assert row(bench, claim) == ("waiting", 1, "fetch_failed")
    assert bench.claim(claim.task_id) is None, "it is not due yet"


def test_an_error_that_stays_ends_the_task(bench: Bench) -> None:
    claim = held(bench)
    assert outcomes.record_failure(claim, TaskError("corrupt", "the file is cut short"))
    assert row(bench, claim)[::2] == ("failed", "corrupt")


def test_the_last_attempt_ends_the_task(bench: Bench) -> None:
    claim = held(bench, retry_limit=0)
    assert outcomes.record_failure(claim, TaskError("fetch_failed", "the host has no address"))
    assert row(bench, claim)[::2] == ("failed", "fetch_failed")


def test_what_an_unexpected_error_says_stays_in_the_log(bench: Bench) -> None:
    claim = held(bench, retry_limit=0)
    assert outcomes.record_failure(claim, ValueError("the secret is s3cret"))
    PROCESS.commits.flush(5)
    error = bench.row(claim.task_id).error
    assert error["code"] == "internal"
    assert "ValueError" in error["message"]
    assert "s3cret" not in error["message"]


def test_a_time_limit_is_told_with_its_seconds(bench: Bench) -> None:
    claim = held(bench, timeout=7.0)
    error = outcomes.as_task_error(claim, TimeLimitExceeded())
    assert (error.code, error.message) == ("timeout", "test ran longer than 7 s and was interrupted")


@pytest.mark.parametrize(
    ("exception", "sentence"),
    [(Lost(), None), (HandBack(), None), (TaskError("corrupt", "x"), "corrupt"), (KeyError("x"), "KeyError")],
)
def test_a_span_says_what_an_attempt_has_failed_with(exception: Exception, sentence: str | None) -> None:
    assert outcomes.error_of(exception) == sentence
