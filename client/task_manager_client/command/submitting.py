"""Documents on their way into a KB: submitted a few at a time, then followed until their tasks end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from task_manager_client.answers.tasks import AcceptedTask, Task
from task_manager_client.async_client import AsyncTaskManager
from task_manager_client.calls import documents as calls
from task_manager_client.command.sources import Named
from task_manager_client.core.call import Call
from task_manager_client.core.uploads import Progress
from task_manager_client.errors import (
    ConnectionLost,
    NotConnected,
    RateLimited,
    Refused,
    TaskManagerError,
    Unauthorized,
    UnexpectedAnswer,
)

#: Submissions at once, and looks at once at tasks that were accepted.
SUBMISSIONS = 4
LOOKS = 16
#: Seconds that a look waits for the end of a task, and the longest while nothing moves, which it grows to; so long a
#: bar stands still at most, while there are few.
PAUSE, LONGEST_PAUSE = 0.25, 1.0
#: Seconds that a service which had accepted a document may be away, for a restart or a deploy.
PATIENCE = 30.0


@dataclass(eq=False)
class Document:
    """Something that is submitted, and what has become of it so far.

    Parameters:
      accepted: what the service said when it accepted it.
      task: as the service last showed it.
      refusal: why it was not accepted.
      pause: seconds that the next look waits for its end.
    """

    named: Named
    size: int = 0
    sent: int = 0
    task_id: str | None = None
    accepted: AcceptedTask | None = None
    task: Task | None = None
    refusal: str | None = None
    pause: float = PAUSE

    @property
    def name(self) -> str:
        """As it is shown."""
        return self.named.name

    @property
    def ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.refusal is not None or (self.task is not None and self.task.ended)

    @property
    def completed(self) -> bool:
        """Whether it can be searched."""
        return self.task is not None and self.task.completed

    @property
    def percent(self) -> float:
        """How much of its task is done."""
        return self.task.progress if self.task is not None else 0.0

    @property
    def state(self) -> str:
        """Where it stands, in a few words."""
        if self.refusal is not None:
            return "refused"
        if self.task_id is None:
            return f"uploading, {self.sent * 100 // self.size} %" if 0 < self.sent < self.size else "uploading"
        if self.task is None:
            return "queued"
        match self.task.status:
            case "completed":
                return _result(self.task)
            case "failed":
                return f"failed: {self.task.error.code if self.task.error else 'internal'}"
            case "waiting":
                return f"{self.task.stage}, waiting"
            case "processing":
                return self.task.stage
            case status:
                return status

    def see(self, task: Task) -> None:
        """Take in how its task stands. The longer nothing moves, the longer the next look waits."""
        moved = any(getattr(task, name) != getattr(self.task, name, None) for name in ("status", "stage", "progress"))
        self.pause = PAUSE if moved else min(self.pause * 2, LONGEST_PAUSE)
        self.task = task


class Display(Protocol):
    """Whatever shows documents on their way."""

    def show(self, document: Document) -> None:
        """Show what has become of this document."""


class Submission:
    """Documents that are submitted together; those that archives hold join them.

    Parameters:
      options: what is said of each, as `documents.submit` takes it.
      follow: whether their ends are waited for.
    """

    def __init__(
        self,
        tm: AsyncTaskManager,
        kb: str,
        named: Sequence[Named],
        display: Display,
        options: Mapping[str, Any],
        *,
        follow: bool,
    ) -> None:
        self.documents = [Document(source) for source in named]
        self._tm = tm
        self._kb = kb
        self._display = display
        self._options = options
        self._follow = follow
        self._submissions = asyncio.Semaphore(SUBMISSIONS)
        self._looks = asyncio.Semaphore(LOOKS)

    async def run(self) -> None:
        """Submit all, and follow them to their ends.

        Raises:
          TaskManagerError: the service cannot be used, or was away for longer than `PATIENCE`.
        """
        # Asked first, so that a wrong address or key is told before anything is sent.
        await self._tm.with_options(retries=0).session()
        try:
            async with asyncio.TaskGroup() as group:
                for document in [*self.documents]:
                    group.create_task(self._bring(document, group))
        except BaseExceptionGroup as errors:
            # The first ends all; the others have ended by it.
            raise errors.exceptions[0] from None

    async def _bring(self, document: Document, group: asyncio.TaskGroup) -> None:
        async with self._submissions:
            await self._submit(document)
        while self._follow and not document.ended:
            async with self._looks:
                await self._look(document)
            self._display.show(document)
        if self._follow and document.task is not None and document.task.members:
            await self._join(document, document.task.members, group)

    async def _submit(self, document: Document) -> None:
        def sent(count: int, size: int | None) -> None:
            document.sent, document.size = count, size or 0
            self._display.show(document)

        self._display.show(document)
        try:
            document.accepted = await self._tm.send(self._call(document.named, sent))
            document.task_id = document.accepted.task_id
        except Refused as refused:
            if isinstance(refused, Unauthorized) or refused.status >= 500:
                raise
            document.refusal = refused.reasons
        except (OSError, ValueError) as error:
            if isinstance(error, TaskManagerError):
                raise
            document.refusal = f"the file cannot be read: {getattr(error, 'strerror', None) or error}"
        self._display.show(document)

    def _call(self, named: Named, sent: Progress) -> Call[AcceptedTask]:
        options = {**self._options, **({"document_id": named.document_id} if named.document_id else {})}
        if named.source is None:
            return calls.submit_document(self._kb, url=named.url, filename=named.filename, **options)
        return calls.upload_document(self._kb, named.source, filename=named.filename, progress=sent, **options)

    async def _look(self, document: Document) -> None:
        """Ask how a task stands. A service that is restarted meanwhile is given time to come back; one whose rate limit
        is spent is there, and says when to come again."""
        assert document.task_id is not None
        asking = self._tm.with_options(retries=0)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                document.see(await asking.tasks.get(document.task_id, wait=document.pause))
                return
            except (Unauthorized, UnexpectedAnswer):
                raise
            except RateLimited as error:
                pause = error.retry_after or PAUSE
                deadline = time.monotonic() + pause + PATIENCE
            except (NotConnected, ConnectionLost, Refused) as error:
                if isinstance(error, Refused) and error.status < 500:
                    document.refusal = error.reasons
                    return
                if time.monotonic() > deadline:
                    raise
                pause = (error.retry_after if isinstance(error, Refused) else None) or PAUSE
            await asyncio.sleep(pause)

    async def _join(self, archive: Document, batch_id: str, group: asyncio.TaskGroup) -> None:
        """Follow the members of an archive as well."""
        async for task in self._tm.tasks.list(batch_id=batch_id):
            name = str((task.payload or {}).get("document_id") or f"{archive.name}: {task.task_id}")
            member = Document(Named(name, None), task_id=task.task_id, task=task)
            self.documents.append(member)
            self._display.show(member)
            group.create_task(self._accompany(member, group))

    async def _accompany(self, member: Document, group: asyncio.TaskGroup) -> None:
        while not member.ended:
            async with self._looks:
                await self._look(member)
            self._display.show(member)
        if member.task is not None and member.task.members:
            await self._join(member, member.task.members, group)


def _result(task: Task) -> str:
    took = (task.finished_at - task.created_at).total_seconds() if task.finished_at else 0.0
    result = task.result or {}
    if task.members:
        return f"unpacked in {took:.1f} s: {result.get('documents')} documents"
    parts = [
        f"{result[name]} {name if result[name] != 1 else name[:-1]}" for name in ("pages", "chunks") if result.get(name)
    ]
    return f"completed in {took:.1f} s" + (f": {', '.join(parts)}" if parts else "")
