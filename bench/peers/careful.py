"""The same, written with care: Falcon and SQL of one's own, one commit each, and Celery."""

from __future__ import annotations

import os
import uuid
from functools import cache
from typing import Any

import falcon
import psycopg
from celery import Celery
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from bench.peers.celery_settings import SETTINGS

INSERT = "INSERT INTO jobs (id, task_type, payload, status) VALUES (%s, %s, %s, 'queued')"
celery = Celery("careful", broker=os.environ["RABBITMQ_URL"])
celery.conf.update(SETTINGS)


@cache
def pool() -> ConnectionPool:
    """Return the connections of this process."""
    return ConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=20, open=True)


class Health:
    """`/health`"""

    def on_get(self, req: Any, resp: Any) -> None:
        resp.media = {"status": "ok"}


class Tasks:
    """`/tasks`"""

    def on_post(self, req: Any, resp: Any) -> None:
        task = req.media
        job_id = uuid.uuid4()
        with pool().connection() as connection:
            connection.execute(INSERT, (job_id, task["task_type"], Jsonb(task["payload"])))
        work.delay(str(job_id))
        resp.status = falcon.HTTP_202
        resp.media = {"task_id": str(job_id), "status": "queued"}


class Batches:
    """`/tasks/batch`"""

    def on_post(self, req: Any, resp: Any) -> None:
        rows = [(uuid.uuid4(), task["task_type"], Jsonb(task["payload"])) for task in req.media["tasks"]]
        with pool().connection() as connection, connection.cursor() as cursor:
            cursor.executemany(INSERT, rows)
        for job_id, _, _ in rows:
            work.delay(str(job_id))
        resp.status = falcon.HTTP_202
        resp.media = {"tasks": [{"task_id": str(job_id), "status": "queued"} for job_id, _, _ in rows]}


app = falcon.App()
app.add_route("/health", Health())
app.add_route("/tasks", Tasks())
app.add_route("/tasks/batch", Batches())


@cache
def connection() -> psycopg.Connection[Any]:
    """Return the connection of a worker process, which runs one task at a time."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


@celery.task
def work(job_id: str) -> None:
    """Nothing, between two commits."""
    connection().execute("UPDATE jobs SET status = 'processing', started_at = now() WHERE id = %s", (job_id,))
    connection().execute("UPDATE jobs SET status = 'completed', finished_at = now() WHERE id = %s", (job_id,))
