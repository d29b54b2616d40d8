"""Takes the steps of `core` with asyncio: the twin of `transport`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

from task_manager_client.core.call import Answer, Call, Page
from task_manager_client.core.deadline import remaining
from task_manager_client.core.policy import Policy
from task_manager_client.core.steps import Chunk, Close, Item, Items, Open, Pause, Send, Step, Steps, every, perform
from task_manager_client.errors import TaskManagerError, TotalTimedOut
from task_manager_client.transport import Address, Http, Taking, answer_of

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")


class AsyncTransport(Http):
    """Takes steps with asyncio."""

    def __init__(self, address: Address, policy: Policy, http: httpx2.AsyncClient | None = None) -> None:
        super().__init__(address, policy, http, "AsyncClient")

    def with_policy(self, policy: Policy) -> AsyncTransport:
        """Return the same with other time-outs and retries; the connections are shared."""
        return AsyncTransport(self._address, policy, self.http)

    async def close(self) -> None:
        """Close its connections, unless they are somebody else's."""
        if self._owned:
            await self.http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Do a call."""
        return await self.run(perform(call, self.policy))

    def pages(self, call: Call[Page[T]]) -> AsyncIterator[T]:
        """Iterate over all items of a list."""
        return self.iterate(every(call, self.policy))

    async def run(self, steps: Steps[T]) -> T:
        """Take steps to their end, and return their result."""
        taking = Taking(steps)
        stream = _AsyncStream(self)
        try:
            while (step := taking.next()) is not None:
                with taking.noted():
                    taking.outcome = await stream.take(step)
        finally:
            await stream.close()
        result: T = taking.result
        return result

    async def iterate(self, items: Items[T]) -> AsyncIterator[T]:
        """Take steps to their end, and hand over their items."""
        taking = Taking(items)
        stream = _AsyncStream(self)
        try:
            while (step := taking.next()) is not None:
                if isinstance(step, Item):
                    yield step.value
                    continue
                with taking.noted():
                    taking.outcome = await stream.take(step)
        finally:
            await stream.close()


class _AsyncStream:
    """Takes each step, and holds the stream that is open."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._response: Any = None
        self._chunks: Any = None

    async def take(self, step: Step | Item[Any]) -> Any:
        match step:
            case Pause():
                await asyncio.sleep(step.seconds)
            case Close():
                await self.close()
            case Chunk():
                with self._transport.translated():
                    return await anext(self._chunks, b"")
            case Send():
                return await self._send(step)
            case Open():
                return await self._open(step)
        return None

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()
            self._response = None

    async def _send(self, step: Send) -> Answer:
        request, body = self._transport.request(step)
        try:
            left = None if step.deadline is None else remaining(step.deadline)
            async with asyncio.timeout(left):
                with self._transport.translated():
                    response = await self._transport.http.send(request)
                    return answer_of(response, response.content)
        except TimeoutError as error:
            if isinstance(error, TaskManagerError):
                raise
            raise TotalTimedOut("no answer within the time that the call may take") from None
        finally:
            if body is not None:
                body.close()

    async def _open(self, step: Open) -> Answer:
        request, _ = self._transport.request(step)
        with self._transport.translated():
            self._response = await self._transport.http.send(request, stream=True)
            if self._response.status_code != 200:
                return answer_of(self._response, await self._response.aread())
            self._chunks = self._response.aiter_bytes()
            return answer_of(self._response, b"")
