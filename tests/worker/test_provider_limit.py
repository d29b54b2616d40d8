"""How fast all workers together may use an embedding provider."""

from __future__ import annotations

import time

import pytest

from errors import TaskError
from models import database, rate_limit
from settings import Settings, read
from tests.actors.conftest import Bench
from worker.holding import HandBack
from worker.provider_limit import BURST, ProviderLimit
from worker.stage import Work

PER_MINUTE = 60


def limited(**more: str) -> Settings:
    return read({"EMBED_REQUESTS_PER_MINUTE": str(PER_MINUTE), "EMBED_TOKENS_PER_MINUTE": "6000", **more})


def work(bench: Bench) -> Work:
    return Work(bench.held(bench.submit()[0]))


def waits(name: str = "cohere requests") -> float:
    """Seconds until the limit is free again."""
    with database.transaction() as session:
        return rate_limit.spend(session, name, 0.0, BURST)


def test_requests_are_counted_for_all_workers_together(bench: Bench) -> None:
    first, second = (ProviderLimit("cohere:embed-v4", limited()) for _ in range(2))
    began, since = waits(), time.monotonic()
    for limit in (first, second, first):
        limit.wait(work(bench))
    # Each costs a second of the burst.
    assert began == 0.0
    with database.transaction() as session:
        used = rate_limit.use(session, "cohere requests", 0.0, BURST)
    grown = time.monotonic() - since
    assert used.rested <= BURST - 3 + grown, "three of five seconds of rest are used, but for what has grown again"


def test_an_embedder_of_this_machine_is_not_limited(bench: Bench) -> None:
    limit = ProviderLimit("local:multilingual-e5-small", limited())
    for _ in range(20):
        limit.wait(_NEVER)
    assert bench.sql("SELECT count(*) FROM paces") == [(0,)]


def test_without_limits_only_what_the_provider_asks_for_is_waited_for(bench: Bench) -> None:
    limit = ProviderLimit("cohere:embed-v4", read({}))
    for _ in range(20):
        limit.wait(_NEVER)
    with pytest.raises(TaskError), limit.heeding():
        raise TaskError("rate_limited", "429", retry_after=60)
    assert 50 < waits() <= 60


def test_an_error_that_is_no_rate_limit_slows_nobody_down(bench: Bench) -> None:
    limit = ProviderLimit("cohere:embed-v4", limited())
    with pytest.raises(TaskError), limit.heeding():
        raise TaskError("embedder_unavailable", "500", retry_after=60)
    assert waits() == 0.0


def test_tokens_that_were_used_are_owed(bench: Bench) -> None:
    limit = ProviderLimit("cohere:embed-v4", limited())
    with database.transaction() as session:
        limit.spend(session, 6000)  # a minute's worth
    assert 50 < waits("cohere tokens") <= 60


def test_who_waits_for_a_limit_notices_that_the_work_is_not_wanted_any_more(bench: Bench) -> None:
    limit = ProviderLimit("cohere:embed-v4", limited())
    with database.transaction() as session:
        rate_limit.hold(session, "cohere requests", 3600)

    class Unwanted(Work):
        def check(self) -> None:
            raise HandBack

    with pytest.raises(HandBack):
        limit.wait(Unwanted(bench.held(bench.submit()[0])))


class _Never(Work):
    """Work that nobody has to wait with."""

    def __init__(self) -> None:
        pass

    def check(self) -> None:
        raise AssertionError("it was waited")


_NEVER = _Never()
