"""The task's row: the truth about a task, of which every message is only a reminder."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, DateTime, Float, Index, Integer, SmallInteger, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Json

#: Ready for a worker, and held by none.
READY = "worker_id IS NULL AND status IN ('queued', 'processing')"
#: What the dispatch is fair between; tasks without a KB share one place.
KB = "coalesce(kb_id, '')"

#: What ended without a result, and the code that says why.
NOT_COMPLETED = "status IN ('failed', 'cancelled')"
#: With `status = 'failed'` beside the condition of the index the planner takes there to be few, and reads all of them.
FAILED = f"{NOT_COMPLETED} AND status <> 'cancelled'"
CODE = "(error->>'code')"
#: With what the name of a task's document ends, as its format; NULL without such. What is larger than so many bytes in
#: the table is not looked at, so that no document is read for it.
FORMAT = """CASE WHEN pg_column_size(payload) <= 8192 THEN nullif(lower(substring(
        coalesce(payload->>'filename', payload->>'file_path', payload->>'url') FROM '[.]([A-Za-z0-9]+)$'
    )), 'none') END"""

#: The parts of an index that hold any task of `:statuses` (with `OF_KB`, of `:kb_id`): statuses with task types. It is
#: walked from one type to the next, so that it costs a probe for each, however many tasks there are.
PARTS = """
    WITH RECURSIVE part(status, task_type) AS (
        SELECT given.status, (SELECT min(task_type) FROM tasks WHERE {of_kb} tasks.status = given.status)
        FROM unnest(CAST(:statuses AS text[])) AS given(status)
        UNION ALL
        SELECT status, (
            SELECT min(task_type) FROM tasks
            WHERE {of_kb} tasks.status = part.status AND tasks.task_type > part.task_type)
        FROM part WHERE task_type IS NOT NULL
    )
    SELECT status, task_type FROM part WHERE task_type IS NOT NULL
"""
OF_KB = "kb_id = :kb_id AND"
#: What the index of the KBs' tasks is of; a comparison of rows does not say it, as one of the column alone does.
IN_A_KB = "kb_id IS NOT NULL"


#: What `waited` is when an attempt begins; the parts of a divided stage have no wait of their own.
WAITED = "waited + CASE WHEN shards > 0 THEN 0 ELSE greatest(0, extract(epoch FROM now() - due_at)) END"
#: What `worked` is when an attempt ends without its stage.
WORKED = "worked + coalesce(greatest(0, extract(epoch FROM {until} - claimed_at)), 0)"
#: What `deaths` is when the worker dies that holds a task, or a shard.
DEATHS = "deaths + CASE WHEN deaths = 0 OR begun = attempt THEN 1 ELSE 0 END"


class Task(Base):
    """One submission and how far it has come. Who may write what is in `tasks.lifecycle`."""

    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_type: Mapped[str] = mapped_column(Text)
    kb_id: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    """What in its KB it works on alone, such as a document; see `Lock`."""
    batch_id: Mapped[UUID | None]
    priority: Mapped[int] = mapped_column(SmallInteger)
    submitted_by: Mapped[str | None] = mapped_column(Text)
    """The name of the API key; None where none was asked for, and before an upgrade."""
    request_id: Mapped[str | None] = mapped_column(Text)
    """Of the request that submitted it; of an archive's member, that of the archive."""
    traceparent: Mapped[str | None] = mapped_column(Text)
    """Of the trace that this request belongs to, as W3C Trace Context writes it. None before an upgrade, as above."""
    payload: Mapped[Json] = mapped_column(JSONB)
    details: Mapped[Json] = mapped_column("metadata", JSONB, server_default="{}")
    has_details: Mapped[bool] = mapped_column("has_metadata", Boolean, server_default="true")
    """Whether the submission said `metadata`; a document of which nothing new is said keeps what it has."""
    source_headers: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    """What a document's URL is fetched with: a secret, which is read by who fetches it alone, and shown to nobody."""
    callback_url: Mapped[str | None] = mapped_column(Text)
    retry_limit: Mapped[int] = mapped_column(SmallInteger)
    timeout: Mapped[float] = mapped_column(Float)
    """Running seconds of one attempt at one stage."""
    run_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """A task that no worker has started by then fails with `expired`."""
    depends_on: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    on_dependency_failure: Mapped[str] = mapped_column(Text, server_default="fail")
    waiting_for: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    """Those of `depends_on` that have not ended yet."""

    status: Mapped[str] = mapped_column(Text, server_default="queued")
    stage: Mapped[str] = mapped_column(Text)
    queue: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    """When a waiting task becomes ready; since when a ready one is."""
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    publications: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """These two are of the release before, which may run beside this one during a deploy; a later one drops them."""
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    """Claims so far, over all stages. Together with `worker_id` it fences off whoever was given up for dead."""
    stage_attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    errors: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """Errors of the present stage, counted against `retry_limit`."""
    crashes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """Deaths of a process in the present stage that this task alone can have caused."""
    deaths: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """Deaths in the present stage of a worker that held it among others: the next attempt runs alone in a process."""
    begun: Mapped[int | None] = mapped_column(Integer)
    """The last attempt that has begun alone. One that still waits for its process is not at fault for a death."""
    retries: Mapped[int] = mapped_column(Integer, server_default="0")
    """Retries over all stages, for whoever reads the result."""
    returns: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """Times that the present run went back to an earlier stage, since what that makes was missing."""
    run: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    """1 and the retries by hand: a task ends once in each run, and each end has one callback."""
    shards: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """Into how many the present stage is divided. Whoever claims the task then claims one of them, or joins them."""
    worker_id: Mapped[UUID | None]
    claimed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    progress: Mapped[float] = mapped_column(Float, server_default="0")
    units: Mapped[int] = mapped_column(Integer, server_default="0")
    units_done: Mapped[int] = mapped_column(Integer, server_default="0")
    stages: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    """The stages that have ended, in order."""
    attempts: Mapped[list[Any] | None] = mapped_column(JSONB)
    """The newest attempts of which `stages` does not tell all; see `tasks.transitions.attempts`. As a rule none."""
    stage_started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    waited: Mapped[float] = mapped_column(Float, server_default="0")
    """Seconds that the present stage was ready before each of its attempts began."""
    worked: Mapped[float] = mapped_column(Float, server_default="0")
    """Seconds of work in those attempts at the present stage that did not end it."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    result: Mapped[Json | None] = mapped_column(JSONB)
    error: Mapped[Json | None] = mapped_column(JSONB)

    __table_args__ = (
        CheckConstraint(
            "status IN ('waiting', 'queued', 'processing', 'completed', 'failed', 'cancelled')", name="status"
        ),
        # A page of the list, of any size of the table, is read from one of these; see `tasks.views.reading`.
        Index("ix_tasks_kb", "kb_id", "status", "task_type", "id", postgresql_where=text(IN_A_KB)),
        Index(None, "status", "task_type", "id"),
        Index(None, "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_tasks_ready", "queue", "priority", text(KB), "id", postgresql_where=text(READY)),
        Index("ix_tasks_waiting", "due_at", postgresql_where=text("status = 'waiting'")),
        Index(
            "ix_tasks_waiting_for",
            "waiting_for",
            postgresql_using="gin",
            postgresql_where=text("waiting_for <> '{}'"),
        ),
        Index(
            "ix_tasks_expiring",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL AND started_at IS NULL AND status IN ('waiting', 'queued')"),
        ),
        Index(
            "ix_tasks_subject",
            "kb_id",
            "subject",
            postgresql_where=text("subject IS NOT NULL AND status IN ('waiting', 'queued', 'processing')"),
        ),
        # What is looked up of tasks that have ended, most of all of those that failed: what runs enters none of these.
        Index(
            "ix_tasks_document",
            "kb_id",
            "subject",
            "id",
            postgresql_where=text("subject IS NOT NULL AND status IN ('completed', 'failed', 'cancelled')"),
        ),
        Index("ix_tasks_error", text(CODE), "id", postgresql_where=text(NOT_COMPLETED)),
        Index("ix_tasks_not_completed", "finished_at", postgresql_where=text(NOT_COMPLETED)),
        # Whose headers are still to be forgotten.
        Index(
            "ix_tasks_source_headers",
            "finished_at",
            postgresql_where=text("source_headers IS NOT NULL AND finished_at IS NOT NULL"),
        ),
        Index("ix_tasks_held", "queue", text(KB), postgresql_where=text("worker_id IS NOT NULL")),
    )
