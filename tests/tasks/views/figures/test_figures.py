"""The deployment at a glance, why tasks failed, and how many workers are wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from errors import CODES, TaskError
from models import database
from models.rate_limit import hold
from tasks.dispatching import pausing
from tasks.ending import ending
from tasks.input.fields import NO_FORMAT, Filter
from tasks.transactions.unit import unit_of_work
from tasks.views import selection
from tasks.views.figures import history, overview, scaling, statistics
from tasks.views.figures.attention import SENTENCES
from tasks.views.figures.failures import failures
from tasks.working import failing, presence
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tasks.working.work import advance
from tests.tasks.conftest import Desk
from tests.tasks.views.many_tasks import fill

NOW = datetime.now(UTC)


def look() -> statistics.Snapshot:
    with database.transaction(repeatable=True) as session:
        return statistics.look(session)


def seen(publishing: str = "up") -> dict[str, Any]:
    return overview.overview(look(), publishing)


def work(kind: str = "worker", threads: int = 4) -> None:
    with database.transaction() as session:
        presence.beat(session, kind, queues=["default"], threads=threads)


def fail(desk: Desk, *tasks: Any, code: str = "corrupt") -> None:
    for task_id in tasks:
        failure = Failure(desk.held(task_id, "preprocessing"), TaskError(code, "it is"))
        desk.within(failing.fail, failure)


def document(desk: Desk, filename: str, kb_id: str = "kb") -> Any:
    payload = {"content": "text", "document_id": filename, "filename": filename}
    return desk.submit(task_type="document_processing", kb_id=kb_id, payload=payload, retry_limit=0)[0]


def test_a_deployment_at_a_glance(desk: Desk) -> None:
    work()
    tasks = desk.submit(5)
    with unit_of_work() as unit:
        history.record(unit)
    desk.within(advance, Advance(desk.held(tasks[0]), {}))
    fail(desk, document(desk, "a.pdf"))
    figures = seen()
    assert figures["waiting"] == 4
    assert figures["threads"] == 4
    assert figures["failed_last_hour"] == {"count": 1, "capped": False, "by_code": {"corrupt": 1}}
    assert figures["callbacks_owed"] == {"count": 0, "capped": False, "failing": 0, "since": None}
    assert datetime.fromisoformat(figures["as_of"]) > NOW


def test_what_completed_is_counted_from_when_the_clock_noted_it(desk: Desk) -> None:
    first, second = desk.submit(2)
    assert seen()["completed"] == {"last_minute": None, "last_hour": None}
    desk.within(advance, Advance(desk.held(first), {}))
    with unit_of_work() as unit:
        history.record(unit)
    desk.within(advance, Advance(desk.held(second), {}))
    assert seen()["completed"] == {"last_minute": 1, "last_hour": 1}
    desk.sql("UPDATE history SET at = at - interval '30 minutes'")
    assert seen()["completed"] == {"last_minute": None, "last_hour": 1}


def test_what_needs_attention_is_named_with_its_time(desk: Desk) -> None:
    work("clock")
    work()
    assert seen()["attention"] == []
    desk.submit(callback_url="https://kb.example.com/callbacks")
    desk.sql("UPDATE workers SET heartbeat_at = now() - interval '1 hour'")
    desk.sql("UPDATE tasks SET deaths = 1")
    desk.sql(
        "INSERT INTO callbacks (id, task_id, url, body, attempts)"
        " SELECT gen_random_uuid(), id, 'https://kb.example.com', '{}', 2 FROM tasks"
    )
    with unit_of_work() as unit:
        pausing.pause(unit, "embedding")
        hold(unit.session, "cohere requests", 60)
        hold(unit.session, "requests of somebody", 60)
    notices = seen("away")["attention"]
    assert [notice["code"] for notice in notices] == [
        "queue_paused",
        "queue_without_worker",
        "no_clock",
        "rabbitmq_away",
        "provider_paced",
        "callbacks_failing",
        "suspects",
    ]
    for notice in notices:
        assert "{" not in notice["message"] + notice["message_zh"]
        assert (notice["since"] is None) == (notice["code"] in ("rabbitmq_away", "provider_paced"))
    assert notices[0]["about"] == {"queue": "embedding"}
    assert notices[4]["about"]["provider"] == "cohere"


def test_every_sentence_has_the_same_names_in_both_languages() -> None:
    for english, chinese in SENTENCES.values():
        names = {"queue", "count", "provider", "until", "task_type"}
        assert {name for name in names if f"{{{name}}}" in english} == {
            name for name in names if f"{{{name}}}" in chinese
        }


def test_failures_are_grouped_with_what_can_be_done(desk: Desk) -> None:
    pdfs = [document(desk, f"{n}.PDF", kb_id=f"kb{n}") for n in range(3)]
    fail(desk, *pdfs)
    fail(desk, document(desk, "a.docx"), code="encrypted")
    with database.transaction() as session:
        report = failures(session, NOW - timedelta(hours=1))
        of_kb = failures(session, NOW - timedelta(hours=1), ["kb"])
        assert failures(session, datetime.now(UTC))["errors"] == []
    assert (report["count"], report["capped"]) == (4, False)
    first, second = report["errors"]
    assert (first["code"], first["stage"], first["format"], first["count"], first["kbs"]) == (
        "corrupt",
        "preprocessing",
        "pdf",
        3,
        3,
    )
    assert first["example"] == {"task_id": str(pdfs[-1]), "kb_id": "kb2", "message": "it is"}
    assert (first["hint"], first["hint_zh"]) == (CODES["corrupt"].hint, CODES["corrupt"].hint_zh)
    assert (second["code"], second["format"]) == ("encrypted", "docx")
    assert of_kb["errors"] == [second]


def test_a_filter_finds_the_tasks_of_each_row_of_failures(desk: Desk) -> None:
    fill(desk, 2000)
    since = NOW - timedelta(hours=20)
    with database.transaction() as session:
        errors = failures(session, since)["errors"]
        assert len(errors) == 10
        assert None in {error["format"] for error in errors}
        for error in errors:
            row = Filter(
                status=["failed"],
                error_code=error["code"],
                stage=error["stage"],
                format=error["format"] or NO_FORMAT,
                finished_after=since,
            )
            assert selection.count(session, row).count == error["count"], error


def test_failures_are_found_without_a_look_through_the_table(desk: Desk) -> None:
    fill(desk, 20_000)
    looked_at = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'tasks'")
    with database.transaction() as session:
        report = failures(session, NOW - timedelta(hours=10))
        assert report["count"] > 30
        assert session.execute(looked_at).scalar_one() < 300


def test_as_many_workers_are_wanted_as_do_what_waits_in_time(desk: Desk) -> None:
    work()
    assert scaling.scale(look(), 60)["wanted"] == 0
    tasks = desk.submit(100)
    for task_id in tasks[:2]:
        desk.within(advance, Advance(desk.held(task_id), {}))
    # Each took 30 seconds.
    desk.sql("UPDATE tallies SET sum = 60 WHERE metric = 'task_processing_duration_seconds'")
    seen = scaling.scale(look(), 60)
    queue = seen["queues"]["default"]
    assert (queue["waiting"], queue["seconds_waiting"], queue["wanted_threads"]) == (98, 2940, 49)
    assert (seen["threads_per_worker"], seen["wanted"]) == (10, 5)
    assert scaling.scale(look(), 1)["wanted"] == 5, "MAX_CONCURRENT_TASKS is 50"
    assert scaling.scale(look(), 3600)["wanted"] == 1
    with unit_of_work() as unit:
        pausing.pause(unit, "default")
    assert scaling.scale(look(), 60)["wanted"] == 0


def test_no_worker_is_wanted_for_a_provider_that_must_be_waited_for(desk: Desk) -> None:
    tasks = [document(desk, f"{n}.txt") for n in range(30)]
    desk.sql("UPDATE tasks SET stage = 'embedding', queue = 'embedding'")
    assert len(tasks) == 30
    assert scaling.scale(look(), 1)["queues"]["embedding"]["wanted_threads"] > 30
    with unit_of_work() as unit:
        hold(unit.session, "cohere tokens", 60)
    assert scaling.scale(look(), 1)["queues"]["embedding"]["wanted_threads"] == 1


def test_a_cancelled_task_is_no_failure(desk: Desk) -> None:
    (task_id,) = desk.submit()
    with unit_of_work() as unit:
        ending.cancel(unit, [task_id])
    assert seen()["failed_last_hour"]["count"] == 0
