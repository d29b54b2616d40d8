"""What is said and answered over HTTP, as pydantic models, from which the OpenAPI document is made.

They describe and validate nothing: answers are made as plain dicts, and `tests/described.py` holds every answer that a
test gets against its model.
"""

from api.description.schemas.audit import AuditPage
from api.description.schemas.batches import AcceptedBatch, Batch, BatchPage
from api.description.schemas.callbacks import CallbackPage, Callbacks, CallbacksPreview
from api.description.schemas.documents import ChunkAround, ChunkPage, Document, DocumentPage, DocumentsPreview
from api.description.schemas.events import Event
from api.description.schemas.kbs import Kb, KbPage
from api.description.schemas.operations import Alive, Health, PausedQueue, Queues, Readiness, ResumedQueue, Workers
from api.description.schemas.problem import Problem
from api.description.schemas.statistics import Errors, HireFire, History, Overview, Scale
from api.description.schemas.submissions import (
    NewBatch,
    NewSchedule,
    NewTask,
    Schedule,
    ScheduleChange,
    SchedulePage,
)
from api.description.schemas.tasks import (
    AcceptedTask,
    BulkItemPage,
    RetryStarted,
    Task,
    TaskPage,
    TasksPreview,
    Why,
)

__all__ = [
    "AcceptedBatch",
    "AcceptedTask",
    "Alive",
    "AuditPage",
    "Batch",
    "BatchPage",
    "BulkItemPage",
    "CallbackPage",
    "Callbacks",
    "CallbacksPreview",
    "ChunkAround",
    "ChunkPage",
    "Document",
    "DocumentPage",
    "DocumentsPreview",
    "Errors",
    "Event",
    "Health",
    "HireFire",
    "History",
    "Kb",
    "KbPage",
    "NewBatch",
    "NewSchedule",
    "NewTask",
    "Overview",
    "PausedQueue",
    "Problem",
    "Queues",
    "Readiness",
    "ResumedQueue",
    "RetryStarted",
    "Scale",
    "Schedule",
    "ScheduleChange",
    "SchedulePage",
    "Task",
    "TaskPage",
    "TasksPreview",
    "Why",
    "Workers",
]
