"""What PostgreSQL holds: the tables, and the only engine and session."""

from models.audit import AuditEntry
from models.base import Base
from models.batch import Batch
from models.bulk_item import BulkItem
from models.callback import Callback
from models.commit import Commit
from models.document import Blob, Chunk, Deletion, Document, Draft, DraftVector, Original, Orphan, Version
from models.event import Event
from models.history import History
from models.idempotency import IdempotencyKey
from models.kb import Kb
from models.lock import Lock
from models.queue import PausedQueue
from models.rate_limit import RateLimit
from models.schedule import Schedule
from models.shard import Shard
from models.tally import Tally
from models.task import Task
from models.vector_index import VectorIndex
from models.worker import Worker

__all__ = [
    "AuditEntry",
    "Base",
    "Batch",
    "Blob",
    "BulkItem",
    "Callback",
    "Chunk",
    "Commit",
    "Deletion",
    "Document",
    "Draft",
    "DraftVector",
    "Event",
    "History",
    "IdempotencyKey",
    "Kb",
    "Lock",
    "Original",
    "Orphan",
    "PausedQueue",
    "RateLimit",
    "Schedule",
    "Shard",
    "Tally",
    "Task",
    "VectorIndex",
    "Version",
    "Worker",
]
