"""What is said on standard error."""

from __future__ import annotations

import os
import sys

from task_manager_client.command.output import printable
from task_manager_client.errors import NotConnected, Refused, TaskManagerError, Unauthorized, UnexpectedAnswer


def complain(line: str) -> None:
    """Say one thing."""
    encoding = sys.stderr.encoding or "utf-8"
    print(printable(line).encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)


def reads_chinese() -> bool:
    """Whether whoever runs the command has a Chinese locale."""
    return (os.environ.get("LC_ALL") or os.environ.get("LANG") or "").startswith("zh")


def remedy(error: TaskManagerError) -> str:
    """Return what went wrong, and what to do about it, in a line."""
    match error:
        case NotConnected():
            return f"{error}: start the service with `make run`, or say in TM_API_URL where it is"
        case UnexpectedAnswer():
            return f"{error}: check TM_API_URL"
        case Unauthorized():
            return "the service wants one of its API keys: set TM_API_KEY to the key, without the holder's name"
        case Refused() if error.status < 500 and error.errors:
            return error.reasons
        case Refused():
            hint = error.hint_zh if reads_chinese() else error.hint
            return error.reasons + (f"\n  {hint}" if hint else "")
    return f"{error}: try again"
