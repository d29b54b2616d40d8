"""The command `tm`: reads the command line, has its verb do it, and says in one line what went wrong."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from task_manager_client.command.arguments import parser

#: What a command ends with. The shell's own codes are those of timeout(1) and of Ctrl-C.
DONE, FAILED, UNUSABLE, TIMED_OUT, INTERRUPTED = 0, 1, 2, 124, 130

#: The module of each verb; it is imported when the verb is used.
MODULES = {
    "submit": "submit",
    "search": "search",
    **dict.fromkeys(("get", "list", "watch", "why", "cancel", "retry", "undo"), "tasks"),
    **dict.fromkeys(("queues", "callbacks", "audit", "open"), "operations"),
    **{name: name for name in ("batches", "kbs", "documents", "schedules", "workers", "doctor", "completion")},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a command line says; return its exit code."""
    namespace = parser().parse_args(arguments)
    try:
        return _do(namespace)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough, as `head` has. Nothing more can be said to it, at the exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "httpx2"):
            raise
        print(
            "tm: pip install './client[cli]', in the folder of the service, installs what this command needs",
            file=sys.stderr,
        )
        return UNUSABLE


def _do(arguments: Namespace) -> int:
    module = import_module(f"task_manager_client.command.verbs.{MODULES[arguments.verb]}")
    verb: Callable[[Namespace], int] = getattr(module, f"{arguments.verb}_")
    if arguments.verb == "completion":
        return verb(arguments)
    from task_manager_client.command.complaints import complain, remedy
    from task_manager_client.command.sources import Unusable
    from task_manager_client.errors import TaskManagerError

    try:
        return verb(arguments)
    except TaskManagerError as error:
        complain(f"tm: {remedy(error)}")
    except (Unusable, ValueError) as error:
        complain(f"tm: {error}" + (": check TM_API_URL" if str(error).endswith(" address") else ""))
    return UNUSABLE


def run() -> None:
    """Do what the command line says, and end the process."""
    sys.exit(main())


if __name__ == "__main__":
    run()
