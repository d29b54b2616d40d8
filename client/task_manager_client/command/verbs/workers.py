"""`tm workers`: what the workers do, and as many of them on this machine as are wanted."""

from __future__ import annotations

import signal
import socket
import threading
import time
from argparse import Namespace

from task_manager_client.client import TaskManager
from task_manager_client.command.complaints import complain, remedy
from task_manager_client.command.main import DONE
from task_manager_client.command.output import show
from task_manager_client.command.processes import Processes
from task_manager_client.command.values import said
from task_manager_client.errors import TaskManagerError

COLUMNS = ("name", "active", "threads", "queues", "current_tasks", "started_at", "heartbeat_at")
#: Seconds between two looks.
EVERY = 2.0
#: Unless said: workers that run at least, seconds in which what waits is to be done, and of calm before one is ended.
UNSAID = {"min": 1, "target": 60.0, "calm": 60.0}


def workers_(arguments: Namespace) -> int:
    """Show the workers that are alive; or run some until SIGTERM or Ctrl-C."""
    how = said(arguments, tuple(UNSAID))
    if arguments.max is not None:
        return _run(Namespace(**{**vars(arguments), **UNSAID, **how}))
    if arguments.command or how:
        raise ValueError("--min, --target, --calm and COMMAND are for running workers: say --max, how many at most")
    with TaskManager(retries=0) as tm:
        if not show([worker.raw for worker in tm.stats.workers().workers], COLUMNS, arguments):
            complain("tm: no worker is alive; start one: sh deploy/worker.sh")
    return DONE


def _run(arguments: Namespace) -> int:
    if not 0 <= arguments.min <= arguments.max:
        raise ValueError(f"--min {arguments.min} must be 0 or more, and no more than --max {arguments.max}")
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    processes = Processes(arguments.command or ["sh", "deploy/worker.sh"])
    try:
        with TaskManager(retries=0) as tm:
            _mind(tm, arguments, processes, over)
    finally:
        processes.end()
    return DONE


def _mind(tm: TaskManager, arguments: Namespace, processes: Processes, over: threading.Event) -> None:
    """Have as many run as are needed, until it is over. While the service does not answer as many go on."""
    wanted, enough_since, answers = arguments.min, time.monotonic(), True
    while not over.is_set():
        try:
            needed, busy = _look(tm, arguments)
            answers = True
        except TaskManagerError as error:
            if answers:
                complain(f"tm: {remedy(error)}; until it answers {wanted} workers go on")
            needed, busy, answers = wanted, {}, False
        # More at once; one fewer when they were too many for a while.
        if needed >= wanted:
            wanted, enough_since = needed, time.monotonic()
        elif time.monotonic() - enough_since >= arguments.calm:
            wanted, enough_since = wanted - 1, time.monotonic()
        processes.keep(wanted, busy)
        over.wait(EVERY)


def _look(tm: TaskManager, arguments: Namespace) -> tuple[int, dict[int, int]]:
    """Return how many workers are needed, and the threads at work in each of this machine's."""
    needed = tm.stats.scale(target_seconds=arguments.target).wanted
    here = f"{socket.gethostname()}:"
    workers = [worker for worker in tm.stats.workers().workers if worker.name.startswith(here)]
    return max(arguments.min, min(needed, arguments.max)), {
        int(worker.name.removeprefix(here)): worker.active for worker in workers
    }
