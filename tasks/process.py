"""This process: its id, made at its start since host names and process ids are reused on a PaaS; and its garbage."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
from uuid import UUID

import structlog

from models.base import new_id
from settings import settings

log = structlog.get_logger(__name__)

#: New objects after which Python looks for garbage in circles: after its own 700, it would many times a second.
NEW_OBJECTS = 20_000

_id: tuple[int, UUID] | None = None


def process_id() -> UUID:
    """Return the id of this process; a forked child gets one of its own."""
    global _id
    if _id is None or _id[0] != os.getpid():
        _id = (os.getpid(), new_id())
    return _id[1]


def adopt(identity: UUID) -> None:
    """Work under the id of the parent, as a child that runs one task alone does."""
    global _id
    _id = (os.getpid(), identity)


def process_name() -> str:
    """Return host and process, for people."""
    return f"{socket.gethostname()}:{os.getpid()}"


#: The part of SHUTDOWN_TIMEOUT after which a process that was told to stop ends, whatever still hangs in it. What has
#: started it takes its time besides: to pass the signal on, and to notice the end.
LAST = 0.75


def end_in_time() -> None:
    """End this process before SHUTDOWN_TIMEOUT is over, if it has not ended by itself; called when it is to stop."""

    def end() -> None:
        log.warning("ended_at_once", reason="something did not end within SHUTDOWN_TIMEOUT")
        sys.stdout.flush()
        os._exit(1)

    late = threading.Timer(settings().shutdown_timeout * LAST, end)
    late.daemon = True
    late.start()


def freeze() -> None:
    """Keep what this process has loaded so far out of the garbage collection, and have that run seldom."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
