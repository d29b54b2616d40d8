"""What the tables say around one task: who holds it, who serves its queue, and what stands before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models import PausedQueue, Task, Worker, database
from models.kb import WEIGHT
from models.shard import TAKEN
from models.statement import Statement
from models.task import KB, READY
from settings import settings
from tasks.lifecycle import Status
from tasks.transitions.claiming import RUNS
from tasks.types import known

#: Tasks ahead that are counted; of more it is said that there are at least so many.
MOST_AHEAD = 1000
#: Other KBs that are looked at for how many of their tasks take turns with this one's.
MOST_KBS = 50


class Shards(NamedTuple):
    """How many shards of a stage are held; of the others, when the next is due, and when the last was put off."""

    held: int
    due_at: datetime | None
    put_off_at: datetime | None


class Limit(NamedTuple):
    """A rate limit, and when the next request passes it."""

    name: str
    free_at: datetime


class Other(NamedTuple):
    """Another task that is waited for."""

    id: UUID
    status: str
    stage: str
    started_at: datetime | None


@dataclass
class Look:
    """A task, and what the tables say around it, read when it is first asked for.

    Parameters:
      broker: whether this process reaches RabbitMQ: `up`, or another word.
    """

    session: Session
    task: Task
    broker: str
    now: datetime

    @cached_property
    def shards(self) -> Shards:
        """The shards of its stage."""
        (row,) = database.rows(self.session, _SHARDS, {"id": self.task.id, "stage": self.task.stage})
        return row

    @cached_property
    def is_held(self) -> bool:
        """Whether a worker has it, or any shard of it."""
        if self.task.shards and self.task.worker_id in (None, TAKEN):
            return bool(self.shards.held)
        return self.task.worker_id is not None

    @cached_property
    def is_waiting(self) -> bool:
        """Whether it is not ready for a worker."""
        return self.task.status == Status.WAITING

    @cached_property
    def workers(self) -> Sequence[Worker]:
        """The workers that serve its queue and were heard of within a lease."""
        alive = select(Worker).where(
            Worker.kind == "worker", Worker.heartbeat_at > self.now - timedelta(seconds=settings().lease_seconds)
        )
        return [row for row in self.session.scalars(alive) if self.task.queue in row.queues]

    @cached_property
    def ahead(self) -> int:
        """Tasks of its queue that start before it, MOST_AHEAD at most."""
        values = {"id": self.task.id, "queue": self.task.queue, "priority": self.task.priority}
        bounds = {"kb": self.task.kb_id or "", "most": MOST_AHEAD, "kbs": MOST_KBS}
        return int(self.session.execute(_AHEAD, values | bounds).scalar_one())

    @property
    def pause(self) -> PausedQueue | None:
        """The pause of its queue."""
        return self.session.get(PausedQueue, self.task.queue)

    @property
    def provider_limit(self) -> Limit | None:
        """Of the rates of its version's embedder the one that keeps the next request waiting for longest, if any."""
        per_minute = settings().embed_requests_per_minute
        costs = {"requests": 60 / per_minute if per_minute else 0.0, "tokens": 0.0}
        values = {"task": self.task.id, "names": list(costs), "costs": list(costs.values())}
        return next(iter(database.rows(self.session, _PROVIDER_LIMIT, values)), None)

    @property
    def predecessor(self) -> UUID | None:
        """Who has begun to work on the same, or was submitted before and is ready too."""
        if self.task.subject is None:
            return None
        values = {"id": self.task.id, "kb": self.task.kb_id, "subject": self.task.subject}
        more = {"queue": self.task.queue, "priority": self.task.priority, "known": known()}
        task_id: UUID | None = self.session.execute(_SAME, values | more).scalar()
        return task_id

    def after(self, moment: datetime | None) -> datetime:
        """Return since when it is ready and something else holds as well, which does since a moment."""
        return max(self.task.due_at, moment or self.task.due_at)

    def tasks(self, ids: Sequence[UUID]) -> list[Other]:
        """Return other tasks, in the order of their ids."""
        query = select(Task.id, Task.status, Task.stage, Task.started_at).where(Task.id.in_(ids)).order_by(Task.id)
        return [Other(*row) for row in self.session.execute(query)]


_SHARDS = Statement(
    """
    SELECT count(*) FILTER (WHERE worker_id IS NOT NULL) AS held,
        min(due_at) FILTER (WHERE worker_id IS NULL AND done_at IS NULL) AS due_at,
        max(put_off_at) FILTER (WHERE worker_id IS NULL AND done_at IS NULL) AS put_off_at
    FROM shards WHERE task_id = :id AND stage = :stage
    """,
    Shards,
)

#: A version has the id of the task that makes it, and says which embedder it is for before its first vector.
_PROVIDER_LIMIT = Statement(
    """
    SELECT paces.name, paces.free_at + asked.cost * interval '1 second' AS free_at
    FROM versions CROSS JOIN unnest(CAST(:names AS text[]), CAST(:costs AS float[])) AS asked(name, cost)
    JOIN paces ON paces.name = split_part(versions.embedder, ':', 1) || ' ' || asked.name
    WHERE versions.id = :task AND paces.free_at + asked.cost * interval '1 second' > now()
    ORDER BY free_at DESC LIMIT 1
    """,
    Limit,
)

#: Who holds the lock of its subject, or was submitted before for the same and is ready too, as the claim asks.
_SAME = text(
    f"""
    SELECT coalesce((
        SELECT task_id FROM locks
        WHERE kb_id = coalesce(CAST(:kb AS text), '') AND subject = :subject AND task_id <> :id
    ), (
        SELECT id FROM tasks WHERE kb_id = :kb AND subject = :subject AND id < :id
            AND queue = :queue AND priority >= :priority AND {RUNS} LIMIT 1
    ))
    """
)

#: What starts before it: more urgent ones, earlier ones of its KB, and of each other KB as many as have their turn
#: until it does, by the weights of both. No part reads more than `:most` rows, from one index; `walked` goes through it
#: from one KB to the next, as the dispatch does.
_AHEAD = text(
    f"""
    WITH RECURSIVE own AS MATERIALIZED (
        SELECT count(*) AS ahead, count(*) / {WEIGHT.format(kb=":kb")} + 1 AS rounds FROM (
            SELECT FROM tasks WHERE queue = :queue AND priority = :priority AND {KB} = :kb AND id < :id AND {READY}
            LIMIT :most) AS each
    ), walked(kb, place) AS (
        SELECT (SELECT min({KB}) FROM tasks WHERE queue = :queue AND priority = :priority AND {READY}), 1
        UNION ALL
        SELECT (SELECT min({KB}) FROM tasks
            WHERE queue = :queue AND priority = :priority AND {KB} > walked.kb AND {READY}), place + 1
        FROM walked WHERE walked.kb IS NOT NULL AND place < :kbs
    )
    SELECT least(:most, (SELECT ahead FROM own) + (
        SELECT count(*) FROM (
            SELECT FROM tasks WHERE queue = :queue AND priority > :priority AND {READY} LIMIT :most) AS each
    ) + (
        SELECT count(*) FROM (
            SELECT FROM walked CROSS JOIN LATERAL (
                SELECT FROM tasks WHERE queue = :queue AND priority = :priority AND {KB} = walked.kb AND {READY}
                LIMIT (SELECT rounds FROM own) * {WEIGHT.format(kb="walked.kb")}) AS each
            WHERE walked.kb <> :kb LIMIT :most) AS each
    ))
    """
)
