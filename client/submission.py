"""Documents on their way into a KB: uploaded a few at a time, then followed until their tasks end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from client.service import Refused, Service, Unusable

#: Uploads at once, and looks at once at tasks that were accepted.
UPLOADS = 4
LOOKS = 16
#: Seconds that a look waits for the end of a task; so long a bar stands still at most, while there are few.
PAUSE = 0.25
#: Seconds that a service which had accepted a document may be away, for a restart or a deploy.
PATIENCE = 30.0

ENDED = ("completed", "failed", "cancelled")


@dataclass
class Document:
    """A file and what has become of it so far."""

    path: Path
    size: int = 0
    sent: int = 0
    task_id: str | None = None
    task: dict[str, Any] = field(default_factory=dict)
    """As the service last showed it."""
    refusal: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.refusal is not None or self.task.get("status") in ENDED

    @property
    def completed(self) -> bool:
        """Whether it can be searched."""
        return self.task.get("status") == "completed"

    @property
    def percent(self) -> float:
        """How much of its task is done."""
        return float(self.task.get("progress", 0.0))

    @property
    def state(self) -> str:
        """Where it stands, in a few words."""
        if self.refusal is not None:
            return "refused"
        if self.task_id is None:
            return f"uploading, {self.sent * 100 // self.size} %" if 0 < self.sent < self.size else "uploading"
        match self.task.get("status"):
            case "completed":
                return _result(self.task)
            case "failed":
                return f"failed: {self.task['error']['code']}"
            case "waiting":
                return f"{self.task['stage']}, waiting for another attempt"
            case "processing":
                return str(self.task["stage"])
            case status:
                return str(status or "queued")


class Display(Protocol):
    """Whatever shows documents on their way."""

    def show(self, document: Document) -> None:
        """Show what has become of this document."""


async def submit(
    service: Service,
    kb: str,
    documents: Sequence[Document],
    display: Display,
    *,
    fields: Mapping[str, str],
    wait: bool = True,
) -> None:
    """Upload documents and follow them to their ends, or only upload them; what becomes of each is written in it.

    Parameters:
      fields: what else the form says of each.

    Raises:
      Unusable: the service cannot be used, or was away for longer than `PATIENCE`.
    """
    uploads, looks = asyncio.Semaphore(UPLOADS), asyncio.Semaphore(LOOKS)

    async def bring(document: Document) -> None:
        async with uploads:
            await _upload(service, kb, document, display, fields)
        while wait and not document.ended:
            async with looks:
                await _look(service, document)
            display.show(document)

    await asyncio.gather(*map(bring, documents))


async def _upload(service: Service, kb: str, document: Document, display: Display, fields: Mapping[str, str]) -> None:
    def sent(count: int) -> None:
        document.sent += count
        display.show(document)

    display.show(document)
    try:
        document.size = document.path.stat().st_size
        document.task_id = await service.upload(kb, document.path, fields, sent)
    except Refused as refused:
        document.refusal = str(refused)
    except OSError as error:
        document.refusal = f"the file cannot be read: {error.strerror or error}"
    display.show(document)


async def _look(service: Service, document: Document) -> None:
    """Ask how a task stands. A service that is restarted meanwhile is given time to come back."""
    assert document.task_id is not None
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            document.task = await service.task(document.task_id, wait=PAUSE)
            return
        except Refused as refused:
            document.refusal = str(refused)
            return
        except Unusable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(PAUSE)


def _result(task: dict[str, Any]) -> str:
    took = datetime.fromisoformat(task["finished_at"]) - datetime.fromisoformat(task["created_at"])
    result = task.get("result") or {}
    parts = [
        f"{result[name]} {name if result[name] != 1 else name[:-1]}" for name in ("pages", "chunks") if result.get(name)
    ]
    return f"completed in {took.total_seconds():.1f} s" + (f": {', '.join(parts)}" if parts else "")
