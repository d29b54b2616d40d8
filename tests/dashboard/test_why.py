"""Why a task waits, as a page says it: every reason in turn, in a real browser and in both languages.

There is no reason `budget`: nothing limits what is spent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect

from broker.in_process import InProcessBroker
from models import database, rate_limit
from tasks.dispatching import pausing
from tasks.process import process_id
from tasks.transactions import unit
from tasks.transactions.unit import unit_of_work
from tasks.views.why import REASONS
from tasks.working import failing
from tests.api.resources.test_why import DOCUMENT, Office, fail
from tests.dashboard.browser import NARROW, WIDE, Language, person
from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import Deployment

#: What does not run, or runs no more, is all that is explained.
NOT_WAITING = {"running", "ended"}
LANGUAGES: tuple[tuple[Language, str], ...] = (("en", "detail"), ("zh-CN", "detail_zh"))


@pytest.fixture(scope="module")
def office(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Office]:
    """A service whose workers the test plays, and whose RabbitMQ is away."""
    folder = tmp_path_factory.mktemp("why")
    with (
        postgres.database() as url,
        Deployment(url, "amqp://guest:guest@127.0.0.1:9/", folder, guard, MAX_CONCURRENT_TASKS="3") as deployment,
    ):
        deployment.start("web")
        database.connect(url, pool_size=5, application_name="tests")
        unit.use_broker(InProcessBroker())
        yield Office(deployment)
        database.disconnect()


def scheduled(office: Office) -> UUID:
    return office.submitted(run_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())


def depends(office: Office) -> UUID:
    return office.submitted(depends_on=[str(scheduled(office))])


def retry(office: Office) -> UUID:
    fail(office, task_id := office.submitted(), "fetch_failed")
    return task_id


def locked(office: Office) -> UUID:
    office.serve()
    office.submitted(**DOCUMENT)
    return office.submitted(**DOCUMENT)


def paused(office: Office) -> UUID:
    office.serve()
    with unit_of_work() as unit:
        pausing.pause(unit, "default", by="ops", reason="maintenance")
    return office.submitted()


def no_worker(office: Office) -> UUID:
    return office.submitted()


def limit(office: Office) -> UUID:
    office.serve(threads=4)
    for _ in range(3):
        office.held(office.submitted())
    return office.submitted()


def provider_pace(office: Office) -> UUID:
    task_id = office.embedding()
    with database.transaction() as session:
        rate_limit.hold(session, "cohere requests", 60)
    return task_id


def isolation(office: Office) -> UUID:
    office.serve()
    office.held(task_id := office.submitted())
    with unit_of_work() as unit:
        failing.requeue(unit, process_id())
    office.held(task_id)
    return task_id


def behind(office: Office) -> UUID:
    office.serve(threads=1)
    first = office.submitted()
    # Its only thread is busy, so nobody need be woken.
    office.sql("UPDATE workers SET current = ARRAY[CAST(:id AS uuid)]", id=first)
    return office.submitted()


def broker_away(office: Office) -> UUID:
    office.serve()
    return office.submitted()


SITUATIONS: tuple[Callable[[Office], UUID], ...] = (
    scheduled,
    depends,
    retry,
    locked,
    paused,
    no_worker,
    limit,
    provider_pace,
    isolation,
    behind,
    broker_away,
)


def test_every_reason_has_its_situation() -> None:
    assert {reason.name for reason in REASONS} - NOT_WAITING == {situation.__name__ for situation in SITUATIONS}


def test_a_person_is_told_why_a_task_waits(chromium: Browser, office: Office) -> None:
    url = office.client.deployment.url
    with ExitStack() as stack:
        people = [
            (stack.enter_context(person(chromium, url, language, width)), said)
            for language, said in LANGUAGES
            for width in (WIDE, NARROW)
        ]
        for situation in SITUATIONS:
            office.clear()
            task_id = situation(office)
            reason = office.why(task_id)
            assert reason["reason"] == situation.__name__
            for visitor, said in people:
                visitor.open(f"/tasks/{task_id}")
                expect(visitor.page.locator("#why code").first).to_have_text(situation.__name__)
                # A moment in it may be another by now.
                same = re.sub(r"\d+", r"\\d+", re.escape(reason[said]))
                expect(visitor.page.locator("#why > span")).to_have_text(re.compile(same))
