"""The peer that most people would build: FastAPI, SQLAlchemy and Celery, with a row for each task.

A submission commits its row, then publishes a persistent message and waits for its confirm. A worker commits
`processing`, works, commits `completed`, and acknowledges then.
"""

from __future__ import annotations

import os
import uuid
from datetime import datetime
from typing import Any

from celery import Celery
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import DateTime, Text, Uuid, create_engine, func, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from bench.peers.celery_settings import SETTINGS

# No object is read again after its commit, so none need be loaded anew.
engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://"), pool_size=20)
Session = sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
celery = Celery("fastapi_celery", broker=os.environ["RABBITMQ_URL"])
celery.conf.update(SETTINGS)


class Base(DeclarativeBase):
    """The tables."""


class Job(Base):
    """A task; its table is made by `bench.contestants`."""

    __tablename__ = "jobs"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    task_type: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Submission(BaseModel):
    """A task as it is submitted."""

    task_type: str
    payload: dict[str, Any] = {}


class Batch(BaseModel):
    """Many at once."""

    tasks: list[Submission]


@app.get("/health")
def health() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


@app.post("/tasks", status_code=202)
def submit(submission: Submission) -> dict[str, str]:
    """One task: its row, then its message."""
    job = Job(id=uuid.uuid4(), task_type=submission.task_type, payload=submission.payload, status="queued")
    with Session() as session:
        session.add(job)
        session.commit()
    work.delay(str(job.id))
    return {"task_id": str(job.id), "status": "queued"}


@app.post("/tasks/batch", status_code=202)
def submit_batch(batch: Batch) -> dict[str, Any]:
    """Many tasks: their rows in one commit, then a message for each."""
    jobs = [
        Job(id=uuid.uuid4(), task_type=task.task_type, payload=task.payload, status="queued") for task in batch.tasks
    ]
    with Session() as session:
        session.add_all(jobs)
        session.commit()
    for job in jobs:
        work.delay(str(job.id))
    return {"tasks": [{"task_id": str(job.id), "status": "queued"} for job in jobs]}


@celery.task
def work(job_id: str) -> None:
    """Nothing, between two commits."""
    with Session() as session:
        session.execute(update(Job).where(Job.id == job_id).values(status="processing", started_at=func.now()))
        session.commit()
        session.execute(update(Job).where(Job.id == job_id).values(status="completed", finished_at=func.now()))
        session.commit()
