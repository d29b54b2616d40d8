"""Who this process is: an id made at its start, since host names and process ids are reused on a PaaS."""

from __future__ import annotations

import os
import socket
from uuid import UUID

from models.base import new_id

_id: tuple[int, UUID] | None = None


def process_id() -> UUID:
    """The id of this process; a forked child gets one of its own."""
    global _id
    if _id is None or _id[0] != os.getpid():
        _id = (os.getpid(), new_id())
    return _id[1]


def adopt(identity: UUID) -> None:
    """Work under the id of the parent, as a child that runs one task alone does."""
    global _id
    _id = (os.getpid(), identity)


def process_name() -> str:
    """Host and process, for people."""
    return f"{socket.gethostname()}:{os.getpid()}"
