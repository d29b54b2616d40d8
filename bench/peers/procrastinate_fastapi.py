"""Procrastinate behind FastAPI: PostgreSQL is the queue, the job's row its state."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from procrastinate import App, PsycopgConnector
from pydantic import BaseModel

jobs = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"], min_size=4, max_size=20))


@asynccontextmanager
async def opened(app: FastAPI) -> AsyncIterator[None]:
    """Hold the connections while the process serves."""
    async with jobs.open_async():
        yield


app = FastAPI(lifespan=opened)


class Submission(BaseModel):
    """A task as it is submitted."""

    task_type: str
    payload: dict[str, Any] = {}


class Batch(BaseModel):
    """Many at once."""

    tasks: list[Submission]


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


@app.post("/tasks", status_code=202)
async def submit(submission: Submission) -> dict[str, Any]:
    """One job."""
    return {"task_id": await work.defer_async(payload=submission.payload), "status": "queued"}


@app.post("/tasks/batch", status_code=202)
async def submit_batch(batch: Batch) -> dict[str, Any]:
    """Many jobs in one statement."""
    ids = await work.batch_defer_async(*({"payload": task.payload} for task in batch.tasks))
    return {"tasks": [{"task_id": task_id, "status": "queued"} for task_id in ids]}


@jobs.task(name="work")
async def work(payload: dict[str, Any]) -> None:
    """Nothing."""
