"""The client for asyncio: the twin of `client`, table by table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from task_manager_client.answers.events import Event, never
from task_manager_client.answers.tasks import AcceptedBatch, AcceptedTask
from task_manager_client.async_handles import AsyncBatchHandle, AsyncTaskHandle
from task_manager_client.async_transport import AsyncTransport
from task_manager_client.calls import documents, following, kbs, operations, schedules, streams, tasks
from task_manager_client.core.call import Call, Page, without_none
from task_manager_client.core.policy import Policy, Retry, Timeouts
from task_manager_client.transport import Address

if TYPE_CHECKING:
    import httpx2

P = ParamSpec("P")
T = TypeVar("T")


def sent(call: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    """Return the method that does a call."""

    @wraps(call)
    async def method(self: _Room, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._transport.send(call(*args, **kwargs))

    return method


def listed(call: Callable[P, Call[Page[T]]]) -> Callable[Concatenate[Any, P], AsyncIterator[T]]:
    """Return the method that iterates over all pages of a list."""

    @wraps(call)
    def method(self: _Room, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self._transport.pages(call(*args, **kwargs))

    return method


def submitted(call: Callable[P, Call[AcceptedTask]]) -> Callable[Concatenate[Any, P], Awaitable[AsyncTaskHandle]]:
    """Return the method that submits a task, and returns its handle."""

    @wraps(call)
    async def method(self: _Room, /, *args: P.args, **kwargs: P.kwargs) -> AsyncTaskHandle:
        accepted = await self._transport.send(call(*args, **kwargs))
        return AsyncTaskHandle(self._transport, accepted.task_id, accepted)

    return method


def submitted_batch(
    call: Callable[P, Call[AcceptedBatch]],
) -> Callable[Concatenate[Any, P], Awaitable[AsyncBatchHandle]]:
    """Return the method that submits a batch, and returns its handle."""

    @wraps(call)
    async def method(self: _Room, /, *args: P.args, **kwargs: P.kwargs) -> AsyncBatchHandle:
        accepted = await self._transport.send(call(*args, **kwargs))
        return AsyncBatchHandle(self._transport, accepted.batch_id, accepted)

    return method


class _Room:
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport


class AsyncTasks(_Room):
    """Tasks of any type."""

    submit = submitted(tasks.submit_task)
    submit_batch = submitted_batch(tasks.submit_batch)
    get = sent(tasks.get_task)
    list = listed(tasks.list_tasks)
    why = sent(tasks.explain_task)
    cancel = sent(tasks.cancel_task)
    retry = sent(tasks.retry_task)
    cancel_all = submitted(tasks.cancel_tasks)
    retry_all = submitted(tasks.retry_tasks)
    prioritise_all = submitted(tasks.prioritise_tasks)
    reingest_all = submitted(tasks.reingest_documents)
    preview_cancel = sent(tasks.preview_cancel)
    preview_retry = sent(tasks.preview_retry)
    preview_prioritise = sent(tasks.preview_prioritise)
    preview_reingest = sent(tasks.preview_reingest)
    undo = submitted(tasks.undo_bulk)
    items = listed(tasks.list_bulk_items)

    def handle(self, task_id: str) -> AsyncTaskHandle:
        """Return a handle of a task; no request is sent."""
        return AsyncTaskHandle(self._transport, task_id)


class AsyncBatches(_Room):
    """Batches of tasks."""

    get = sent(tasks.get_batch)
    list = listed(tasks.list_batches)
    cancel = sent(tasks.cancel_batch)
    cancel_all = submitted(tasks.cancel_batches)
    retry_all = submitted(tasks.retry_batches)
    preview_cancel = sent(tasks.preview_cancel_batches)
    preview_retry = sent(tasks.preview_retry_batches)

    def handle(self, batch_id: str) -> AsyncBatchHandle:
        """Return a handle of a batch; no request is sent."""
        return AsyncBatchHandle(self._transport, batch_id)


class AsyncDocuments(_Room):
    """Documents of KBs."""

    upload = submitted(documents.upload_document)
    submit = submitted(documents.submit_document)
    list = listed(documents.list_documents)
    get = sent(documents.get_document)
    change = sent(documents.change_document)
    delete = sent(documents.delete_document)
    delete_all = submitted(documents.delete_documents)
    preview_delete = sent(documents.preview_delete)
    text = sent(documents.get_document_text)
    original = sent(documents.get_document_original)
    chunks = listed(documents.list_chunks)
    chunk = sent(documents.get_chunk)
    preview = sent(documents.preview_chunks)
    preview_upload = sent(documents.preview_upload)


class AsyncKbs(_Room):
    """Knowledge bases."""

    list = listed(kbs.list_kbs)
    get = sent(kbs.get_kb)
    change = sent(kbs.change_kb)
    delete = submitted(kbs.delete_kb)


class AsyncCallbacks(_Room):
    """Callbacks and their deliveries."""

    list = listed(operations.list_callbacks)
    of_task = sent(operations.list_task_callbacks)
    of_batch = sent(operations.list_batch_callbacks)
    redeliver = sent(operations.redeliver_callback)
    redeliver_all = submitted(operations.redeliver_callbacks)
    preview_redeliver = sent(operations.preview_redeliver)


class AsyncSchedules(_Room):
    """Tasks that are submitted again and again."""

    create = sent(schedules.create_schedule)
    list = listed(schedules.list_schedules)
    get = sent(schedules.get_schedule)
    change = sent(schedules.change_schedule)
    delete = sent(schedules.delete_schedule)
    pause = sent(schedules.pause_schedule)
    resume = sent(schedules.resume_schedule)
    run = submitted(schedules.run_schedule)


class AsyncQueues(_Room):
    """Queues."""

    list = sent(operations.list_queues)
    pause = sent(operations.pause_queue)
    resume = sent(operations.resume_queue)


class AsyncStats(_Room):
    """Figures for operators."""

    overview = sent(operations.get_overview)
    history = sent(operations.get_history)
    errors = sent(operations.get_errors)
    scale = sent(operations.get_scale)
    queues = sent(operations.list_queues)
    workers = sent(operations.list_workers)


class AsyncTaskManager(_Room):
    """A client of a running service for asyncio; the parameters are those of `TaskManager`.

    async with AsyncTaskManager("http://localhost:8084", "the-key") as tm:
        task = (await (await tm.documents.upload("handbook", "leave.pdf")).wait(timeout=120)).check()
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeouts: Timeouts | None = None,
        retries: int = 3,
        on_retry: Callable[[Retry], None] | None = None,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        policy = Policy(timeouts or Timeouts(), retries, on_retry)
        self._have(AsyncTransport(Address(url, key), policy, http_client))

    def _have(self, transport: AsyncTransport) -> None:
        super().__init__(transport)
        self.tasks = AsyncTasks(transport)
        self.batches = AsyncBatches(transport)
        self.documents = AsyncDocuments(transport)
        self.kbs = AsyncKbs(transport)
        self.callbacks = AsyncCallbacks(transport)
        self.queues = AsyncQueues(transport)
        self.schedules = AsyncSchedules(transport)
        self.stats = AsyncStats(transport)

    search = sent(kbs.search_kb)
    search_kbs = sent(kbs.search_kbs)
    audit = listed(operations.list_audit)
    health = sent(operations.check_health)
    ready = sent(operations.check_ready)
    session = sent(operations.get_session)

    def events(self) -> AsyncIterator[Event]:
        """Iterate over all that happens, from now on; `reset` tells of a gap."""
        return self._transport.iterate(following.watch(streams.events(), never))

    async def send(self, call: Call[T]) -> T:
        """Do a call of `task_manager_client.calls`. The same call may be sent again; it is done once."""
        return await self._transport.send(call)

    def pages(self, call: Call[Page[T]]) -> AsyncIterator[T]:
        """Iterate over all items of a call that lists."""
        return self._transport.pages(call)

    def with_options(
        self,
        *,
        timeouts: Timeouts | None = None,
        retries: int | None = None,
        on_retry: Callable[[Retry], None] | None = None,
    ) -> Self:
        """Return a client that shares the connections, and differs in what is named."""
        named = without_none(timeouts=timeouts, retries=retries, on_retry=on_retry)
        other = object.__new__(type(self))
        other._have(self._transport.with_policy(replace(self._transport.policy, **named)))
        return other

    async def close(self) -> None:
        """Close its connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
