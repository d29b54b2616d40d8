"""Lists of any filter: that they hold what they should, and that none looks through the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from errors import TaskError
from models import database
from tasks.input.fields import Filter
from tasks.views import reading, selection
from tasks.views.selection import TooMany
from tasks.working import failing
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tasks.working.work import advance
from tests.tasks.conftest import Desk
from tests.tasks.views.many_tasks import fill

NOW = datetime.now(UTC)
ASKED: tuple[dict[str, Any], ...] = (
    {"status": ["failed", "cancelled"]},
    {"status": "queued,waiting", "kb_id": "kb1"},
    {"document_id": "d8", "kb_id": "kb1"},
    {"document_id": "d8", "kb_id": "kb1", "status": ["completed", "queued"], "priority": "high"},
    {"error_code": "timeout"},
    {"error_code": "corrupt", "kb_id": "kb3", "task_type": "test"},
    {"error_code": "internal", "priority": "urgent"},
    {"error_code": "cancelled"},
    {"queue": "embedding"},
    {"queue": "default", "kb_id": "kb2", "priority": "normal"},
    {"queue": "preprocessing", "status": "processing"},
    {"status": "failed", "stage": "chunking"},
    {"status": ["failed", "cancelled"], "format": "PDF", "kb_id": "kb1"},
    {"error_code": "corrupt", "stage": "chunking", "format": "none"},
    {"error_code": "timeout", "stage": "chunking", "format": "pdf", "finished_after": NOW - timedelta(hours=9)},
    {"document_id": "d8", "kb_id": "kb1", "format": "none", "stage": "preprocessing"},
    {"priority": "urgent", "status": ["queued", "processing", "waiting"]},
    {"priority": "low", "status": "waiting"},
    {"created_before": NOW - timedelta(hours=5)},
    {"created_after": NOW - timedelta(hours=9), "created_before": NOW - timedelta(hours=8)},
    {"finished_before": NOW - timedelta(hours=9), "kb_id": "kb0"},
    {"finished_after": NOW - timedelta(hours=2), "status": "failed"},
    {"finished_after": NOW - timedelta(hours=2), "error_code": "timeout", "kb_id": "kb0"},
    {
        "created_after": NOW - timedelta(hours=9),
        "finished_after": NOW - timedelta(hours=7),
        "finished_before": NOW - timedelta(hours=6),
    },
)


def fits(task: Any, chosen: Filter) -> bool:
    """Whether a task's row is meant, by the words of the filter alone."""
    ended, priority = task.finished_at, {1: "low", 4: "normal", 6: "high", 9: "urgent"}[task.priority]
    return (
        chosen.kb_id in (None, task.kb_id)
        and (chosen.status is None or task.status in chosen.status)
        and chosen.task_type in (None, task.task_type)
        and chosen.document_id in (None, task.subject)
        and chosen.error_code in (None, (task.error or {}).get("code"))
        and (chosen.queue is None or (ended is None and task.queue == chosen.queue))
        and chosen.priority in (None, priority)
        and chosen.stage in (None, task.stage)
        and chosen.format in (None, format_of(task))
        and (chosen.created_after is None or task.created_at > chosen.created_after)
        and (chosen.created_before is None or task.created_at < chosen.created_before)
        and (chosen.finished_after is None or (ended is not None and ended > chosen.finished_after))
        and (chosen.finished_before is None or (ended is not None and ended < chosen.finished_before))
    )


def format_of(task: Any) -> str:
    """With what the name of its document ends; a name that ends with `.none` is as one that ends with nothing."""
    return str(task.payload.get("filename", "")).lower().partition(".")[2] or "none"


def test_pages_and_counts_hold_what_fits_and_nothing_else(desk: Desk) -> None:
    fill(desk, 840)
    rows = desk.sql("SELECT * FROM tasks ORDER BY id DESC")
    for asked in ASKED:
        chosen = Filter(**asked)
        expected = [row.id for row in rows if fits(row, chosen)]
        ids: list[UUID] = []
        with database.transaction() as session:
            while page := reading.page(session, chosen, limit=7, before=ids[-1] if ids else None):
                ids += [UUID(task["task_id"]) for task in page]
            assert selection.count(session, chosen) == selection.Count(len(expected), capped=False)
        assert ids == expected, asked
        assert expected, f"nothing fits {asked}"


def test_no_filter_looks_through_the_table(desk: Desk) -> None:
    fill(desk, 40_000)
    looked_at = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'tasks'")
    of_moments = {"finished_before": NOW - timedelta(days=9)}, {"created_after": NOW - timedelta(days=1)}
    for asked in (*ASKED, *of_moments, {}):
        with database.transaction() as session:
            statement, values = selection.select_ids(Filter(**asked), 51)
            # Of this connection, so with what earlier transactions have not handed in yet.
            before = session.execute(looked_at).scalar_one()
            session.execute(text(statement), values)
            # The most are looked at for a queue or a priority: at worst the 6,000 tasks that have not ended.
            assert session.execute(looked_at).scalar_one() - before < 8000, asked


def test_a_time_may_be_the_first_and_the_last_there_is(desk: Desk) -> None:
    fill(desk, 10)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    chosen = Filter(created_after=first, finished_after=first, created_before=last, finished_before=last)
    with database.transaction() as session:
        assert len(selection.ids(session, chosen, limit=20)) == 10


def test_a_task_that_only_completes_enters_no_index_of_what_is_looked_up(desk: Desk) -> None:
    def pages() -> list[int]:
        names = ["ix_tasks_document", "ix_tasks_error", "ix_tasks_not_completed"]
        return [desk.sql("SELECT pg_relation_size(:name) / 8192 AS pages", name=name)[0].pages for name in names]

    for task_id in desk.submit(20):
        desk.within(advance, Advance(desk.held(task_id), {}))
    assert pages() == [1, 1, 1], "an index without an entry has its first page alone"
    failure = Failure(desk.held(desk.document(), "preprocessing"), TaskError("corrupt", "it is"))
    desk.within(failing.fail, failure)
    assert pages() == [2, 2, 2]


def test_what_is_counted_is_counted_up_to_a_bound(desk: Desk) -> None:
    fill(desk, 500)
    with database.transaction() as session:
        assert selection.count(session, Filter(status=["completed"]), most=100) == selection.Count(100, capped=True)
        assert selection.count(session, Filter(status=["completed"]), most=350) == selection.Count(350, capped=False)


def test_what_takes_too_long_is_said_to_be_too_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk, 20_000)
    monkeypatch.setattr(selection, "PATIENCE", 1)
    with database.transaction() as session, pytest.raises(TooMany, match="too many to count"):
        selection.count(session, Filter(), most=20_000)
    with database.transaction() as session, pytest.raises(TooMany, match="too many tasks to search"):
        reading.page(session, Filter(), limit=20_000)


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        ({"document_id": "d"}, "document_id", "requires `kb_id`"),
        ({"error_code": "timeout", "status": "completed"}, "error_code", "leave out `status`"),
        ({"error_code": "bad_luck"}, "error_code", "must be one of corrupt, "),
        ({"queue": "default", "status": ["queued", "failed"]}, "queue", "leave out `status`"),
        ({"queue": "default", "error_code": "timeout"}, "queue", "leave out `error_code`"),
        ({"queue": "lost"}, "queue", "must be one of preprocessing, "),
        ({"priority": "high"}, "priority", "`status` to `waiting`, `queued` or `processing`"),
        ({"priority": "high", "status": "failed"}, "priority", "`batch_id`, `document_id`"),
        ({"stage": "chunking"}, "stage", "`status` to `failed` or `cancelled`"),
        ({"stage": "chunking", "status": ["failed", "queued"]}, "stage", "by `queue`"),
        ({"format": "pdf", "kb_id": "kb"}, "format", "`batch_id`, `document_id` or `error_code`"),
        ({"format": ".pdf", "status": "failed"}, "format", "should match"),
        ({"finished_before": NOW, "status": "queued"}, "finished_before", "applies only to tasks that have ended"),
        ({"finished_after": NOW, "queue": "default"}, "finished_after", "applies only to tasks that have ended"),
        ({"finished_after": NOW, "kb_id": "kb"}, "finished_after", "combined with `created_after`"),
        ({"status": []}, "status", "one or more of"),
    ],
)
def test_what_no_index_answers_is_refused_with_what_can_be_asked(asked: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Filter(**asked)
    (problem,) = refused.value.errors()
    assert problem["loc"] == (field,)
    assert says in problem["msg"]
