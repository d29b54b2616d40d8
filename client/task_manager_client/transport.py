"""Takes the steps of `core` with threads; and what that has in common with asyncio. What knows HTTPX is in both."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from task_manager_client.core.call import Answer, Call, Page
from task_manager_client.core.deadline import remaining
from task_manager_client.core.policy import Policy
from task_manager_client.core.steps import Chunk, Close, Item, Items, Open, Pause, Send, Step, Steps, every, perform
from task_manager_client.errors import (
    ConnectionLost,
    ConnectTimedOut,
    NotConnected,
    ReadTimedOut,
    TaskManagerError,
)

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

DEFAULT_URL = "http://localhost:8084"
#: Connections that are kept open for the next call. How many are open at once is not limited: each `wait` and `watch`
#: holds one, and further calls must not queue behind them.
KEPT_OPEN = 20
#: A proxy is never the way to this machine.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Address:
    """Where the service is, and the key that it is asked with.

    Parameters:
      url: without a path; default: TM_API_URL, else DEFAULT_URL.
      key: default: TM_API_KEY, else none.

    Raises:
      ValueError: the URL is none, or the key cannot be sent.
    """

    def __init__(self, url: str | None, key: str | None) -> None:
        address = url or os.environ.get("TM_API_URL") or DEFAULT_URL
        key = key if key is not None else os.environ.get("TM_API_KEY")
        self.url = address.rstrip("/")
        self.host = urlsplit(self.url).hostname
        if urlsplit(self.url).scheme not in ("http", "https") or not self.host:
            raise ValueError(f"{address!r} is no http:// or https:// address")
        if key and not (key.isascii() and key.isprintable()):
            raise ValueError("the key holds characters that no HTTP header can carry")
        self.headers = {"User-Agent": "task-manager-client"} | ({"Authorization": f"Bearer {key}"} if key else {})


class Http:
    """What both transports share: how a request is written, and what an error of HTTPX means.

    Parameters:
      http: a client of HTTPX; None: one of our own.
      kind: the class of that one.
    """

    def __init__(self, address: Address, policy: Policy, http: Any, kind: str) -> None:
        import httpx2

        self.policy = policy
        self._address = address
        self._errors = httpx2
        self._owned = http is None
        self.http = http or getattr(httpx2, kind)(
            trust_env=address.host not in LOOPBACK,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_OPEN),
        )

    def request(self, step: Send | Open) -> tuple[httpx2.Request, Any]:
        """Return a request, and the file that it sends, which is then to be closed.

        Raises:
          TotalTimedOut: there is no time left for it.
          OSError: the file cannot be opened any more.
        """
        call, read = step.call, step.read
        connect = self.policy.timeouts.connect
        if step.deadline is not None:
            left = remaining(step.deadline)
            read, connect = (left if seconds is None else min(seconds, left) for seconds in (read, connect))
        body = call.upload.open(step.deadline) if call.upload else None
        form = {"data": call.upload.fields, "files": {"file": (call.upload.filename, body)}} if call.upload else {}
        return self.http.build_request(
            call.method,
            self._address.url + call.target,
            headers={**self._address.headers, **call.headers},
            json=call.body,
            timeout=self._errors.Timeout(read, connect=connect),
            **form,
        ), body

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise what HTTPX raises as an error of ours."""
        url = self._address.url
        try:
            yield
        except (self._errors.ConnectTimeout, self._errors.PoolTimeout):
            raise ConnectTimedOut(f"no connection to {url} in time") from None
        except self._errors.TimeoutException as error:
            raise ReadTimedOut(f"{url} was silent for too long ({type(error).__name__})") from None
        except self._errors.ConnectError as error:
            raise NotConnected(f"nothing answers at {url} ({error})") from None
        except self._errors.TransportError as error:
            raise ConnectionLost(f"the connection to {url} broke ({type(error).__name__})") from None


class Transport(Http):
    """Takes steps with threads."""

    def __init__(self, address: Address, policy: Policy, http: httpx2.Client | None = None) -> None:
        super().__init__(address, policy, http, "Client")

    def with_policy(self, policy: Policy) -> Transport:
        """Return the same with other time-outs and retries; the connections are shared."""
        return Transport(self._address, policy, self.http)

    def close(self) -> None:
        """Close its connections, unless they are somebody else's."""
        if self._owned:
            self.http.close()

    def send(self, call: Call[T]) -> T:
        """Do a call."""
        return self.run(perform(call, self.policy))

    def pages(self, call: Call[Page[T]]) -> Iterator[T]:
        """Iterate over all items of a list."""
        return self.iterate(every(call, self.policy))

    def run(self, steps: Steps[T]) -> T:
        """Take steps to their end, and return their result."""
        taking = Taking(steps)
        stream = _Stream(self)
        try:
            while (step := taking.next()) is not None:
                with taking.noted():
                    taking.outcome = stream.take(step)
        finally:
            stream.close()
        result: T = taking.result
        return result

    def iterate(self, items: Items[T]) -> Iterator[T]:
        """Take steps to their end, and hand over their items."""
        taking = Taking(items)
        stream = _Stream(self)
        try:
            while (step := taking.next()) is not None:
                if isinstance(step, Item):
                    yield step.value
                    continue
                with taking.noted():
                    taking.outcome = stream.take(step)
        finally:
            stream.close()


class _Stream:
    """Takes each step, and holds the stream that is open."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._response: Any = None
        self._chunks: Iterator[bytes] = iter(())

    def take(self, step: Step | Item[Any]) -> Any:
        match step:
            case Pause():
                time.sleep(step.seconds)
            case Close():
                self.close()
            case Chunk():
                with self._transport.translated():
                    return next(self._chunks, b"")
            case Send():
                return self._send(step)
            case Open():
                return self._open(step)
        return None

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def _send(self, step: Send) -> Answer:
        request, body = self._transport.request(step)
        try:
            with self._transport.translated():
                response = self._transport.http.send(request, stream=True)
                try:
                    chunks = []
                    for chunk in response.iter_bytes():
                        chunks.append(chunk)
                        if step.deadline is not None:
                            remaining(step.deadline)
                    return answer_of(response, b"".join(chunks))
                finally:
                    response.close()
        finally:
            if body is not None:
                body.close()

    def _open(self, step: Open) -> Answer:
        request, _ = self._transport.request(step)
        with self._transport.translated():
            self._response = self._transport.http.send(request, stream=True)
            if self._response.status_code != 200:
                return answer_of(self._response, self._response.read())
            self._chunks = self._response.iter_bytes()
            return answer_of(self._response, b"")


class Taking:
    """A sequence of steps that is under way."""

    def __init__(self, steps: Generator[Any, Any, Any]) -> None:
        self._steps = steps
        self._error: BaseException | None = None
        self.outcome: Any = None
        self.result: Any = None

    def next(self) -> Any:
        """Return the next step, having told the outcome of the last; None at the end."""
        error, outcome = self._error, self.outcome
        self._error = self.outcome = None
        try:
            return self._steps.send(outcome) if error is None else self._steps.throw(error)
        except StopIteration as end:
            self.result = end.value
            return None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep an error of the step that is taken, for the steps to decide about."""
        try:
            yield
        except TaskManagerError as error:
            self._error = error


def answer_of(response: Any, body: bytes) -> Answer:
    """Return an answer of HTTPX as data."""
    return Answer(response.status_code, {name.lower(): text for name, text in response.headers.items()}, body)
