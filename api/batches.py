"""Batches over HTTP: many tasks in one request, counted and called back together."""

from __future__ import annotations

import asyncio
from typing import Any

import falcon
from pydantic import BaseModel, ConfigDict, Field

from api import requests
from api.operation import operation
from api.problems import Invalid
from api.tasks import EXAMPLE, submission_of
from tasks import reading
from tasks.group_commit import GroupCommit
from tasks.submission import NewBatch, Submission, submit_batch

LARGEST = 1000


class BatchRequest(BaseModel):
    """Tasks to be submitted together."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[dict[str, Any]] = Field(min_length=1, max_length=LARGEST)
    callback_url: str | None = Field(
        None, max_length=2048, pattern=r"^https?://", description="Default: KB_CALLBACK_URL."
    )
    atomic: bool = Field(False, description="All or none: one task that does not fit rejects the rest.")


class Batches:
    """`/tasks/batch`"""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    @operation(
        "Submit 1 to 1,000 tasks.",
        {202: "Those that fit are accepted; the others carry an `error`.", 422: "None was accepted."},
        request=BatchRequest,
        example={"tasks": [EXAMPLE, EXAMPLE]},
    )
    async def on_post(self, req: Any, resp: Any) -> None:
        asked = requests.fit(BatchRequest, await requests.body(req))
        good: dict[int, Submission] = {}
        bad: dict[int, list[dict[str, str]]] = {}
        for position, each in enumerate(asked.tasks):
            try:
                good[position] = submission_of(each)
            except Invalid as error:
                bad[position] = error.problems
        if bad and (asked.atomic or not good):
            raise Invalid(
                [
                    {"field": f"tasks.{position}.{each['field']}", "message": each["message"]}
                    for position, problems in bad.items()
                    for each in problems
                ]
            )
        batch = NewBatch(submissions=list(good.values()), callback_url=asked.callback_url)
        batch_id, accepted = await asyncio.wrap_future(self._commits.put(submit_batch, batch))
        items: list[dict[str, Any]] = [
            {"index": position, "task_id": str(each.task_id), "status": each.status}
            for position, each in zip(good, accepted, strict=True)
        ]
        items += [{"index": position, "error": {"errors": problems}} for position, problems in bad.items()]
        resp.status = falcon.HTTP_202
        resp.location = f"/api/v1/batches/{batch_id}"
        resp.media = {
            "batch_id": str(batch_id),
            "tasks": sorted(items, key=lambda each: each["index"]),
            "accepted": len(good),
            "rejected": len(bad),
        }


class Batch:
    """`/batches/{batch_id}`"""

    @operation("Show a batch.", {200: "Its counts by status.", 404: "There is no such batch."})
    async def on_get(self, req: Any, resp: Any, batch_id: str) -> None:
        batch = await requests.read(reading.show_batch, requests.identifier(batch_id, "batch"))
        if batch is None:
            raise requests.missing("batch", batch_id)
        resp.media = batch
