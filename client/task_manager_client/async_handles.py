"""Handles of tasks and batches for asyncio: the twins of `handles`."""

from __future__ import annotations

from collections.abc import AsyncIterator

from task_manager_client.answers.events import Event, ends_batch, ends_task
from task_manager_client.answers.operations import Callback
from task_manager_client.answers.tasks import AcceptedBatch, AcceptedTask, Batch, Task, Why
from task_manager_client.async_transport import AsyncTransport
from task_manager_client.calls import following, operations, streams, tasks


class AsyncTaskHandle:
    """A task of the service.

    Parameters:
      accepted: what the service said of it when it accepted it, where it was submitted here.
    """

    def __init__(self, transport: AsyncTransport, task_id: str, accepted: AcceptedTask | None = None) -> None:
        self._transport = transport
        self.task_id = task_id
        self.accepted = accepted

    def __repr__(self) -> str:
        return f"AsyncTaskHandle({self.task_id!r})"

    async def get(self) -> Task:
        """Read it as it is now."""
        return await self._transport.send(tasks.get_task(self.task_id))

    async def wait(self, timeout: float | None = None) -> Task:
        """Return it when it has ended, however it did: `.check()` raises where it has failed.

        Parameters:
          timeout: seconds; None: as long as it takes.

        Raises:
          WaitTimedOut: it has not ended in time.
        """
        followed = streams.followed_task(self.task_id)
        return await self._transport.run(following.wait(followed, self._transport.policy, timeout))

    def watch(self) -> AsyncIterator[Event]:
        """Iterate over what happens to it, from its present state to its end."""
        return self._transport.iterate(following.watch(streams.followed_task(self.task_id).events, ends_task))

    async def cancel(self) -> Task:
        """Cancel it.

        Raises:
          Conflict: it has ended.
        """
        return await self._transport.send(tasks.cancel_task(self.task_id))

    async def retry(self) -> Task:
        """Run it again, from the stage that failed.

        Raises:
          Conflict: it has neither failed nor was it cancelled.
        """
        return await self._transport.send(tasks.retry_task(self.task_id))

    async def why(self) -> Why:
        """Say why it does not run, what it waits for, and since when."""
        return await self._transport.send(tasks.explain_task(self.task_id))

    async def callbacks(self) -> list[Callback]:
        """List its callbacks, with each delivery."""
        return await self._transport.send(operations.list_task_callbacks(self.task_id))

    async def undo(self) -> AsyncTaskHandle:
        """Take a bulk back."""
        accepted = await self._transport.send(tasks.undo_bulk(self.task_id))
        return AsyncTaskHandle(self._transport, accepted.task_id, accepted)


class AsyncBatchHandle:
    """A batch of the service.

    Parameters:
      accepted: what the service said of it when it accepted it, where it was submitted here.
    """

    def __init__(self, transport: AsyncTransport, batch_id: str, accepted: AcceptedBatch | None = None) -> None:
        self._transport = transport
        self.batch_id = batch_id
        self.accepted = accepted

    def __repr__(self) -> str:
        return f"AsyncBatchHandle({self.batch_id!r})"

    async def get(self) -> Batch:
        """Read it as it is now."""
        return await self._transport.send(tasks.get_batch(self.batch_id))

    async def wait(self, timeout: float | None = None) -> Batch:
        """Return it when each of its tasks has ended; `counts` says how.

        Raises:
          WaitTimedOut: that is not so after `timeout` seconds.
        """
        followed = streams.followed_batch(self.batch_id)
        return await self._transport.run(following.wait(followed, self._transport.policy, timeout))

    def watch(self) -> AsyncIterator[Event]:
        """Iterate over what happens to it and its tasks, up to its end."""
        return self._transport.iterate(following.watch(streams.followed_batch(self.batch_id).events, ends_batch))

    def tasks(self) -> AsyncIterator[Task]:
        """Iterate over its tasks."""
        return self._transport.pages(tasks.list_tasks(batch_id=self.batch_id))

    async def cancel(self) -> Batch:
        """Cancel what of it has not ended."""
        return await self._transport.send(tasks.cancel_batch(self.batch_id))

    async def callbacks(self) -> list[Callback]:
        """List its callbacks, with each delivery."""
        return await self._transport.send(operations.list_batch_callbacks(self.batch_id))
