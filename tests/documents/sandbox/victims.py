"""What a child of the sandbox is made to suffer in tests."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

_hoard: list[bytes] = []


def crash() -> None:
    ctypes.string_at(0)


def hang() -> None:
    while True:
        time.sleep(1)


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def swell() -> int:
    parts = [bytes(50 * 1024 * 1024) for _ in range(100)]
    return len(parts)


def hoard() -> None:
    _hoard.append(b"x" * (150 * 1024 * 1024))


def chatter() -> str:
    print("from Python")
    os.write(1, b"from a library\n")
    return "quiet"


def smuggle() -> Any:
    return subprocess.Popen


def blunder() -> float:
    return 1 / 0


def reach(port: int) -> str:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "reached"


def spy(process: int) -> str:
    try:
        return Path(f"/proc/{process}/environ").read_text()
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def limits() -> dict[str, tuple[int, int]]:
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in ("FSIZE", "NPROC", "CORE", "AS")}


def write_too_much(path: str) -> str:
    try:
        with Path(path).open("wb") as file:
            file.seek(2 * 1024**3)
            file.write(b"x")
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "written"


def start(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def echo(value: Any) -> Any:
    return value
