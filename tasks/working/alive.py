"""Whether a process of this machine beats, for a container's health check: `python -m tasks.working.alive worker`."""

from __future__ import annotations

import socket
import sys
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models import Worker, database
from settings import service_settings, settings


def is_alive(session: Session, kind: str, host: str) -> bool:
    """Return whether a process of this kind and host has beaten within its lease."""
    lease = timedelta(seconds=settings().lease_seconds)
    beating = select(Worker.id).where(
        Worker.kind == kind,
        func.regexp_replace(Worker.name, ":[0-9]+$", "") == host,
        Worker.heartbeat_at > func.now() - lease,
    )
    return session.scalars(beating.limit(1)).first() is not None


def main() -> None:
    """Exit with 1 where it is silent. PostgreSQL being away is no fault of the process: a restart would not help."""
    (kind,) = sys.argv[1:]
    database.connect(service_settings().postgres_url, pool_size=1, application_name="task-manager health check")
    try:
        with database.transaction() as session:
            alive = is_alive(session, kind, socket.gethostname())
    except DBAPIError as error:
        print(f"not known: PostgreSQL does not answer ({type(error.orig).__name__})")
        return
    if not alive:
        sys.exit(f"no {kind} of {socket.gethostname()} has beaten for {settings().lease_seconds:g} s (LEASE_SECONDS)")


if __name__ == "__main__":
    main()
