"""FastAPI, SQLAlchemy and Celery that divide texts, as safe as Celery's documentation makes it: see `bench.ledger`.

A message is acknowledged when its task is done, and comes again when its worker is lost; a publish is confirmed and
tried again; a task is tried again after any error, and may run twice: what it writes, it writes in one transaction.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Connection, create_engine, text

from bench.peers.celery_settings import SETTINGS

engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://"), pool_size=20, pool_pre_ping=True
)
app = FastAPI()
celery = Celery("documents", broker=os.environ["RABBITMQ_URL"])
celery.conf.update(SETTINGS, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)
#: How a publish is tried again, as the documentation has it, for longer than a restart of RabbitMQ takes.
AGAIN = {"max_retries": 20, "interval_start": 0.2, "interval_step": 0.2, "interval_max": 1.0}
#: Characters of a chunk.
SIZE = 200


class Submission(BaseModel):
    """A text to be divided."""

    content: str


@app.get("/health")
def health() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


@app.post("/tasks", status_code=202)
def submit(submission: Submission) -> dict[str, str]:
    """One task: its row, then its message."""
    task_id = str(uuid.uuid4())
    with engine.begin() as connection:
        row = {"id": task_id, "content": submission.content}
        connection.execute(text("INSERT INTO jobs (id, content, status) VALUES (:id, :content, 'queued')"), row)
    work.apply_async((task_id,), retry=True, retry_policy=AGAIN)
    return {"task_id": task_id}


@celery.task(
    bind=True,
    autoretry_for=(Exception,),
    retry_backoff=True,
    retry_backoff_max=30,
    max_retries=None,
)
def work(_: Any, task_id: str) -> None:
    """Divide a text, write its chunks and its end in one transaction, and call back."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET status = 'processing' WHERE id = :id"), {"id": task_id})
    with engine.begin() as connection:
        _divide(connection, task_id)
    address = urlsplit(os.environ["CALLBACK_URL"])
    with closing(HTTPConnection(address.netloc, timeout=10)) as receiver:
        receiver.request("POST", address.path, json.dumps({"task_id": task_id, "status": "completed"}))
        receiver.getresponse().read()


def _divide(connection: Connection, task_id: str) -> None:
    content = connection.execute(text("SELECT content FROM jobs WHERE id = :id"), {"id": task_id}).scalar_one()
    connection.execute(text("DELETE FROM chunks WHERE job_id = :id"), {"id": task_id})
    rows = [
        {"id": task_id, "index": index, "content": content[at : at + SIZE]}
        for index, at in enumerate(range(0, len(content), SIZE))
    ]
    connection.execute(text("INSERT INTO chunks (job_id, index, content) VALUES (:id, :index, :content)"), rows)
    connection.execute(
        text("UPDATE jobs SET status = 'completed', finished_at = now() WHERE id = :id"), {"id": task_id}
    )
