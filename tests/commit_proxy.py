"""A TCP proxy before PostgreSQL that loses the answer to a COMMIT, or the COMMIT itself, as a failover may.

    with CommitProxy(database_url) as proxy:
        deployment.environment["DATABASE_URL"] = proxy.url
        ...
        proxy.lose_answers()        # the next transaction that writes is committed, and its connection cut
        proxy.lose_commits()        # … is not committed, and its connection cut
        proxy.lose_answers(3)       # the same of the next three
        proxy.away = True           # besides, nobody can connect until it is False again

Transactions that only read are let through: what is tested is what becomes of what was written.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy import make_url

_WRITES = re.compile(rb"\b(INSERT|UPDATE|DELETE|COPY)\b")
_PREPARE = re.compile(rb"PREPARE (\w+) AS (.*)", re.DOTALL)
_EXECUTE = re.compile(rb"EXECUTE (\w+)")
_COMMIT = re.compile(rb"(^|;\s*)COMMIT\s*;?\s*$")
#: Codes of a first message that asks for encryption: another first message follows.
_ENCRYPTION = (80877103, 80877104)


class CommitProxy:
    """Connections to one database, through a port of its own.

    Parameters:
      url: of the database.
    """

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._answers = self._commits = 0
        self.lost = 0
        """How many answers, and COMMITs, were lost so far."""
        self.away = False
        query = {name: value for name, value in self._target.query.items() if name != "host"}
        port = self._listener.getsockname()[1]
        self.url = self._target.set(host="127.0.0.1", port=port, query=query).render_as_string(hide_password=False)
        threading.Thread(target=self._accept, name="commit proxy", daemon=True).start()

    def lose_answers(self, count: int = 1) -> None:
        """Lose the answers to the next COMMITs of what was written. Each is carried out."""
        self._answers, self._commits = count, 0

    def lose_commits(self, count: int = 1) -> None:
        """Lose the next COMMITs of what was written on their way to the server. None is carried out."""
        self._answers, self._commits = 0, count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def fate(self) -> str | None:
        """What becomes of a COMMIT that comes now: its answer is lost, or itself, or neither."""
        with self._lock:
            if self._answers:
                self._answers, self.lost = self._answers - 1, self.lost + 1
                return "answer"
            if self._commits:
                self._commits, self.lost = self._commits - 1, self.lost + 1
                return "commit"
            return None

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.away:
                    client.close()
                    continue
                try:
                    server = self._connect()
                except OSError:  # it is away itself
                    client.close()
                    continue
                _Connection(self, client, server)

    def _connect(self) -> socket.socket:
        host = self._target.host or str(self._target.query.get("host", "127.0.0.1"))
        port = self._target.port or 5432
        if host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{host}/.s.PGSQL.{port}")
            return server
        return socket.create_connection((host, port))


class _Connection:
    """One connection: what the client says is read message by message, what the server says is passed on."""

    def __init__(self, proxy: CommitProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._writing = self._cut = False
        self._prepared: dict[bytes, bool] = {}
        threading.Thread(target=self._to_client, daemon=True).start()
        threading.Thread(target=self._to_server, daemon=True).start()

    def _to_client(self) -> None:
        with suppress(OSError):
            while (data := self._server.recv(65536)) and not self._cut:
                self._client.sendall(data)
        self._end()

    def _to_server(self) -> None:
        with suppress(OSError, EOFError):
            self._begin()
            while True:
                kind = self._read(1)
                length = self._read(4)
                body = self._read(struct.unpack("!I", length)[0] - 4)
                fate = self._look(body) if kind == b"Q" else None
                if fate == "commit":
                    break
                self._cut = fate == "answer"
                self._server.sendall(kind + length + body)
        if not self._cut:
            self._end()

    def _begin(self) -> None:
        code = _ENCRYPTION[0]
        while code in _ENCRYPTION:
            length = self._read(4)
            body = self._read(struct.unpack("!I", length)[0] - 4)
            (code,) = struct.unpack("!I", body[:4])
            self._server.sendall(length + body)

    def _look(self, body: bytes) -> str | None:
        """Note what a query does. Returns its fate where it is a COMMIT of what was written."""
        query = body.rstrip(b"\0").strip()
        if (prepare := _PREPARE.match(query)) is not None:
            self._prepared[prepare[1]] = bool(_WRITES.search(prepare[2]))
            return None
        ends = _COMMIT.search(query) is not None
        if ends and self._writing:
            self._writing = False
            return self._proxy.fate()
        said = _EXECUTE.search(query)
        self._writing |= self._prepared.get(said[1], False) if said else bool(_WRITES.search(query))
        if ends or query == b"ROLLBACK":
            self._writing = False
        return None

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if not (more := self._client.recv(count - len(data))):
                raise EOFError
            data += more
        return data

    def _end(self) -> None:
        for connection in (self._client, self._server):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
