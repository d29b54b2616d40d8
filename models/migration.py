"""The migrations: running them, knowing whether the database has them, and waiting until it has."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from models import database
from settings import service_settings

ROOT = Path(__file__).resolve().parent.parent


def upgrade(url: str) -> None:
    """Bring a database to the newest migration."""
    # Alembic is needed only here, and weighs 6 MB.
    from alembic.config import Config

    from alembic import command

    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    command.upgrade(config, "head")


def missing(session: Session) -> str | None:
    """Return the newest migration that the database lacks; None when it has all that this code knows.

    A database that is newer than the code is in order: migrations are written so that the release before
    still runs on them.
    """
    known = sorted(path.name.partition("_")[0] for path in (ROOT / "alembic" / "versions").glob("[0-9]*_*.py"))
    try:
        present = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except ProgrammingError:
        return known[-1]
    return known[-1] if present is None or present < known[-1] else None


def _lacking() -> str | None:
    try:
        with database.transaction() as session:
            lacking = missing(session)
    except DBAPIError as error:
        return f"PostgreSQL does not answer ({type(error.orig).__name__})"
    return None if lacking is None else f"migration {lacking} is missing"


def main() -> None:
    """Wait until the database has every migration, for a process that is started beside `alembic upgrade head`."""
    url = service_settings().postgres_url
    database.connect(url, pool_size=1, application_name="task-manager waits for migrations")
    said = None
    while (lacking := _lacking()) is not None:
        if lacking != said:
            print(f"waiting: {lacking}", flush=True)
        said = lacking
        time.sleep(1)


if __name__ == "__main__":
    main()
