"""What it costs to say why a task does not run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from models import database
from models.base import LAST_ID
from tasks.views.look import MOST_AHEAD, MOST_KBS
from tasks.views.why import why
from tasks.working import presence
from tests.tasks.conftest import Desk


def rows_read(desk: Desk) -> int:
    """Return how many rows of tasks, or entries of their indexes, were read so far."""
    (read,) = desk.sql(
        """
        SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'tasks')
            + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'tasks') AS rows
        """
    )
    return int(read.rows)


def asked(desk: Desk) -> tuple[dict[str, Any], int]:
    """Ask why the last task does not run. Returns the answer, and the rows that it took."""
    before = rows_read(desk)
    with database.transaction(repeatable=True) as session:
        answer = why(session, LAST_ID, "up")
        session.execute(text("SELECT pg_stat_force_next_flush()"))
    assert answer is not None
    return answer, rows_read(desk) - before


def test_it_costs_no_scan_where_much_waits(desk: Desk) -> None:
    with database.transaction() as session:
        presence.beat(session, "worker", queues=["default"], threads=2)
    desk.sql(
        """
        INSERT INTO tasks (id, task_type, kb_id, subject, priority, payload, retry_limit, timeout, stage, queue)
        SELECT CASE n WHEN 1 THEN CAST(:last AS uuid) ELSE gen_random_uuid() END, 'test', 'kb' || n % 300, 'd' || n, 4,
            '{}', 3, 300, 'test', 'default'
        FROM generate_series(1, 60000) AS n
        """,
        last=LAST_ID,
    )
    desk.sql("ANALYZE tasks")
    answer, read = asked(desk)
    assert answer["waiting_for"] == [
        {"kind": "turn", "ahead": MOST_AHEAD, "or_more": True, "estimated_completion": None}
    ], answer
    assert answer["detail"].startswith("It is ready; 1000+ tasks")
    assert 0 < read < 3 * MOST_AHEAD + 4 * MOST_KBS
