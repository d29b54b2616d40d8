"""What a child of the sandbox is made to suffer in tests."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
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


def echo(value: Any) -> Any:
    return value
