"""The service as a client meets it: uploads, tasks and searches over REST, and what can go wrong in one line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx2

#: A proxy is never the way to this machine.
LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: Seconds without a sign of life. An upload is answered when its last byte is stored.
SILENCE = httpx2.Timeout(60, connect=10)


class Unusable(Exception):
    """The service cannot be used at all: it is away, wants another key, or is not this service."""


class Refused(Exception):
    """The service does not accept this one request; the message says why."""


class Service:
    """A running Task Manager Service.

    Parameters:
      url: where it listens, without the path.
      key: one of its API keys, where it asks for one.

    Raises:
      Unusable: the URL is none, or the key cannot be sent.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise Unusable(f"TM_API_URL is {url!r}, which is no http:// or https:// address")
        if key and not (key.isascii() and key.isprintable()):
            raise Unusable("TM_API_KEY holds characters that no HTTP header can carry")
        self._http = httpx2.AsyncClient(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=SILENCE,
            trust_env=urlsplit(self.url).hostname not in LOOPBACK,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def upload(self, kb: str, path: Path, fields: Mapping[str, str], sent: Callable[[int], None]) -> str:
        """Stream a file to a KB; `sent` is told how many bytes have gone. Returns the id of its task."""
        with _Counted(path, sent) as file:
            accepted = await self._ask(
                "POST", f"/kbs/{quote(kb, safe='')}/documents", data=fields, files={"file": (path.name, file)}
            )
        return str(accepted["task_id"])

    async def task(self, task_id: str, wait: float) -> dict[str, Any]:
        """Return a task when it has ended, or as it is after `wait` seconds."""
        return await self._ask("GET", f"/tasks/{task_id}", params={"wait": wait})

    async def why(self, task_id: str) -> dict[str, Any]:
        """Return why a task does not run, what it waits for, and since when."""
        return await self._ask("GET", f"/tasks/{quote(task_id, safe='')}/why")

    async def search(self, kb: str, query: str, limit: int, mode: str) -> list[dict[str, Any]]:
        """Return the best chunks of a KB, best first."""
        asked = {"query": query, "limit": limit, "mode": mode}
        hits: list[dict[str, Any]] = (await self._ask("POST", f"/kbs/{quote(kb, safe='')}/search", json=asked))["hits"]
        return hits

    async def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer's JSON.

        Raises:
          Unusable, Refused
        """
        try:
            answer = await self._http.request(method, path, **request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Unusable(
                f"nothing answers at {self.url} ({error or 'too late'}): start the service with `make run`, "
                "or say in TM_API_URL where it is"
            ) from None
        except httpx2.TransportError as error:
            raise Unusable(f"the service at {self.url} broke off ({type(error).__name__}): try again") from None
        try:
            said = answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            said = None
        if not isinstance(said, dict):
            raise Unusable(f"{self.url} answers {answer.status_code}, but not as this service does: check TM_API_URL")
        if answer.status_code == 401:
            raise Unusable(
                "the service wants one of its API keys: set TM_API_KEY to the key, without the holder's name"
            )
        if answer.status_code >= 500:
            raise Unusable(f"the service at {self.url} answers {answer.status_code}: {said.get('detail')}")
        if not answer.is_success:
            raise Refused(_reasons(said))
        return said


class _Counted(io.FileIO):
    """A file that tells how many bytes were read of it."""

    def __init__(self, path: Path, told: Callable[[int], None]) -> None:
        super().__init__(path)
        self._told = told

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self._told(len(data))
        return data


def _reasons(problem: dict[str, Any]) -> str:
    """Return what a problem says, with each field that does not fit."""
    fields = [f"{each['field']}: {each['message']}" for each in problem.get("errors") or []]
    return "; ".join(fields) or str(problem.get("detail") or problem.get("title"))
