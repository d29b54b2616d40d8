"""Tasks and batches, as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from task_manager_client.core.shape import Shape
from task_manager_client.errors import TaskManagerError

Status = Literal["waiting", "queued", "processing", "completed", "failed", "cancelled"]
Priority = Literal["low", "normal", "high", "urgent"]
ENDED = ("completed", "failed", "cancelled")


class AcceptedTask(Shape):
    """A task that was accepted."""

    task_id: str
    status: Status
    task_type: str
    created_at: datetime
    kb_id: str | None = None


class TaskFailure(Shape):
    """Why a task failed, and what to do."""

    code: str
    message: str
    stage: str
    retryable: bool
    hint: str
    hint_zh: str


class TaskStage(Shape):
    """A stage of a task."""

    name: str
    status: str
    started_at: datetime | None
    finished_at: datetime | None
    queue_wait_seconds: float | None
    units: int
    units_done: int
    attempts: int


class AttemptError(Shape):
    """What an attempt ended with."""

    code: str
    message: str
    retryable: bool


class TaskAttempt(Shape):
    """An attempt at a stage."""

    stage: str
    number: int
    worker: str | None
    started_at: datetime
    finished_at: datetime | None
    waited_seconds: float | None
    outcome: str
    error: AttemptError | None
    run: int = 1


class ProcessedDocument(Shape):
    """What became of a document."""

    document_id: str
    version: int | None
    unchanged: bool
    chunks: int
    chunks_reused: int
    characters: int
    pages: int | None
    encoding: str | None
    warnings: list[str]
    tokens_embedded: int
    estimated_cost: float | None
    timings: dict[str, float]
    coverage: dict[str, Any] | None = None


class Task(Shape):
    """A task."""

    task_id: str
    task_type: str
    kb_id: str | None
    batch_id: str | None
    status: Status
    stage: str
    progress: float
    attempt: int
    priority: Priority
    retry_limit: int
    timeout: float
    run_at: datetime | None
    expires_at: datetime | None
    depends_on: list[str]
    on_dependency_failure: Literal["fail", "run"]
    metadata: dict[str, Any] | None
    callback_url: str | None
    submitted_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    queue_wait_seconds: float
    due_at: datetime | None
    stages: list[TaskStage]
    error: TaskFailure | None
    payload: dict[str, Any] | None
    result: dict[str, Any] | None
    estimated_completion: datetime | None = None
    attempts: list[TaskAttempt] | None = None
    left_out: list[str] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.status in ENDED

    @property
    def completed(self) -> bool:
        """Whether it did what it was to do."""
        return self.status == "completed"

    @property
    def document(self) -> ProcessedDocument | None:
        """The result of a document that was processed; None for other tasks, and for archives."""
        is_one = self.result is not None and "document_id" in self.result and "version" in self.result
        return ProcessedDocument.read(self.result) if is_one else None

    @property
    def members(self) -> str | None:
        """The batch of what an archive was unpacked into."""
        return (self.result or {}).get("batch_id")

    def check(self) -> Task:
        """Return it if it has not failed and was not cancelled.

        Raises:
          TaskFailed: it has, or was.
        """
        if self.ended and not self.completed:
            raise TaskFailed(self)
        return self


class TaskFailed(TaskManagerError):
    """A task ended without completing.

    Parameters:
      task: as it ended.
    """

    def __init__(self, task: Task) -> None:
        error = task.error
        super().__init__(f"task {task.task_id} {task.status}" + (f": {error.code}: {error.message}" if error else ""))
        self.task = task
        self.code = error.code if error else task.status
        self.hint = error.hint if error else None
        self.hint_zh = error.hint_zh if error else None


class Awaited(Shape):
    """What a task waits for; which fields are there depends on `kind`."""

    kind: str
    task_id: str | None = None
    status: Status | None = None
    stage: str | None = None
    due_at: datetime | None = None
    error: TaskFailure | None = None
    queue: str | None = None
    paused_by: str | None = None
    paused_at: datetime | None = None
    reason: str | None = None
    worker_id: str | None = None
    running: int | None = None
    most: int | None = None
    name: str | None = None
    free_at: datetime | None = None
    ahead: int | None = None
    or_more: bool | None = None
    estimated_completion: datetime | None = None


class Why(Shape):
    """Why a task does not run."""

    reason: str
    since: datetime | None
    detail: str
    detail_zh: str
    waiting_for: list[Awaited]


class StatusCounts(Shape):
    """How many tasks there are of each status."""

    waiting: int
    queued: int
    processing: int
    completed: int
    failed: int
    cancelled: int


class Batch(Shape):
    """A batch of tasks."""

    batch_id: str
    status: Literal["processing", "completed"]
    total: int
    counts: StatusCounts
    deleted: int
    progress: float
    created_at: datetime
    finished_at: datetime | None
    estimated_completion: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether each of its tasks has ended."""
        return self.status == "completed"


class BadField(Shape):
    """A field that does not fit."""

    field: str
    code: str
    message: str


class ItemErrors(Shape):
    """Why an item of a batch was rejected."""

    errors: list[BadField]


class BatchItem(Shape):
    """What became of an item of a submission: a task, or an error."""

    index: int
    task_id: str | None = None
    status: Status | None = None
    error: ItemErrors | None = None


class AcceptedBatch(Shape):
    """A batch that was accepted."""

    batch_id: str
    tasks: list[BatchItem]
    accepted: int
    rejected: int


class TaskExample(Shape):
    """A task that a bulk is for."""

    task_id: str
    task_type: str
    kb_id: str | None
    document_id: str | None
    status: Status
    priority: Priority
    error_code: str | None
    created_at: datetime


class TasksPreview(Shape):
    """How many tasks a bulk is for, and up to ten of them; `capped` where there are more than `count`."""

    count: int
    capped: bool
    examples: list[TaskExample]


class BulkItem(Shape):
    """What a bulk has done to one task or callback."""

    outcome: Literal["open", "changed", "refused"]
    reason: str | None
    priority_before: Priority | None
    priority_after: Priority | None
    task_id: str | None = None
    callback_id: str | None = None
