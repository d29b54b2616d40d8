"""What submissions and filters may say, with the names that they have in REST."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

from task_manager_client.answers.documents import Mode, Newer, Unit
from task_manager_client.answers.tasks import Priority, Status
from task_manager_client.core.call import as_json

Time = datetime | str


class TaskOptions(TypedDict, total=False):
    """What any submission may say of its task."""

    priority: Priority
    retry_limit: int
    timeout: float
    depends_on: Sequence[str]
    on_dependency_failure: Literal["fail", "run"]
    run_at: Time
    expires_at: Time
    callback_url: str
    metadata: Mapping[str, Any]


class DocumentOptions(TaskOptions, total=False):
    """What the submission of a document may say besides."""

    document_id: str
    content_type: str
    encoding: str
    chunk_size: int
    chunk_overlap: int
    chunk_unit: Unit
    embedder: str
    force: bool


class PreviewOptions(TypedDict, total=False):
    """How a document is to be read and split."""

    filename: str
    content_type: str
    encoding: str
    chunk_size: int
    chunk_overlap: int
    chunk_unit: Unit
    embedder: str


class NewTask(TaskOptions, total=False):
    """A task of a batch; others of it may depend on its `name`."""

    task_type: str
    kb_id: str
    payload: Mapping[str, Any]
    name: str


class TaskFilter(TypedDict, total=False):
    """Which tasks are meant."""

    kb_id: str
    status: Status | Sequence[Status]
    task_type: str
    batch_id: str
    document_id: str
    error_code: str
    queue: str
    priority: Priority
    stage: str
    format: str
    created_after: Time
    created_before: Time
    finished_after: Time
    finished_before: Time


class BulkFilter(TaskFilter, total=False):
    """Which tasks a bulk is for: those of a filter, or those of `ids`."""

    ids: Sequence[str]


class BatchFilter(TypedDict, total=False):
    """Which batches are meant.

    `task_status`: of one of its tasks at least. `kb_id`: of all of them."""

    status: Literal["processing", "completed"]
    task_status: str
    kb_id: str
    created_after: Time
    created_before: Time


class KbFilter(TypedDict, total=False):
    """Which KBs are meant: those whose ids begin so, and those with a task of a status."""

    prefix: str
    task_status: Literal["waiting", "queued", "processing", "failed"]


class CallbackFilter(TypedDict, total=False):
    """Which callbacks are meant."""

    state: Literal["owed", "delivered", "failed"]
    kb_id: str
    task_id: str
    batch_id: str
    host: str
    created_after: Time
    created_before: Time


class RedeliveryFilter(CallbackFilter, total=False):
    """Which callbacks are to be delivered again: those of a filter, or those of `ids`."""

    ids: Sequence[str]


class DocumentFilter(TypedDict, total=False):
    """Which documents are meant: all that meet what is named."""

    ids: Sequence[str]
    prefix: str
    metadata: Mapping[str, Any]
    format: str
    state: Newer
    updated_after: Time


class DocumentQuery(TypedDict, total=False):
    """Which documents are listed, and in which order: all that meet what is named.

    Of one name in `metadata` any of several values may fit, of several names all must. `sort` is from the last to the
    first with `-`.
    """

    metadata: Mapping[str, Any]
    prefix: str
    format: str
    state: Newer
    updated_after: Time
    sort: Literal["document_id", "-document_id", "updated_at", "-updated_at", "size", "-size"]


class SearchFilter(TypedDict, total=False):
    """In which documents is searched."""

    documents: str | Sequence[str]
    metadata: Mapping[str, Any]


class SearchOptions(TypedDict, total=False):
    """How is searched."""

    limit: int
    mode: Mode
    filter: SearchFilter
    min_score: float
    per_document: int
    around: int
    join: bool
    rerank: bool


TASK_FIELDS = TaskOptions.__annotations__.keys()


def divided(options: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what of the options is the task's, and what the payload's; None counts as not said."""
    said = {name: value for name, value in options.items() if value is not None}
    task = {name: value for name, value in said.items() if name in TASK_FIELDS}
    return task, {name: value for name, value in said.items() if name not in TASK_FIELDS}


def form(options: Mapping[str, object]) -> dict[str, str]:
    """Return options as the fields of a form."""
    return {name: _text(name, value) for name, value in options.items() if value is not None}


def pairs(metadata: Mapping[str, object] | None) -> list[str]:
    """Return metadata as a list is asked for it: `name=value`, for each value of a name."""
    return [
        f"{name}={item if isinstance(item, str) else json.dumps(item)}"
        for name, value in as_json(metadata or {}).items()
        for item in (value if isinstance(value, list) else [value])
    ]


def _text(name: str, value: Any) -> str:
    if name == "metadata":
        return json.dumps(as_json(value), ensure_ascii=False)
    if name == "depends_on":
        return ",".join(map(str, value))
    return ("true" if value else "false") if isinstance(value, bool) else str(as_json(value))


def filtered(options: Mapping[str, object]) -> dict[str, Any]:
    """Return a filter as a bulk wants it: a single status is a list of one."""
    said = {name: value for name, value in options.items() if value is not None}
    if isinstance(said.get("status"), str):
        said["status"] = [said["status"]]
    return said
