"""Server-Sent Events: bytes in, events out."""

from __future__ import annotations

from typing import NamedTuple

#: Bytes of one line; an event of the service has some hundred.
LONGEST_LINE = 1024 * 1024


class ServerSent(NamedTuple):
    """One event; a stream is resumed behind its id, where it names one."""

    id: str | None
    data: str


class Decoder:
    """Decodes one stream. `retry` holds the seconds after which the service asks to come again, once it has."""

    def __init__(self) -> None:
        self.retry: float | None = None
        self._rest = b""
        self._id: str | None = None
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[ServerSent]:
        """Return the events that are complete with these bytes.

        Raises:
          ValueError: a line without an end.
        """
        *lines, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise ValueError("a line of the stream has no end")
        return [event for line in lines if (event := self._line(line.decode("utf-8", "replace"))) is not None]

    def _line(self, line: str) -> ServerSent | None:
        if not line:
            event = ServerSent(self._id, "\n".join(self._data)) if self._data else None
            self._data = []
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        elif name == "retry" and value.isdigit():
            self.retry = int(value) / 1000
        return None
