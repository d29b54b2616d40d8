"""The migrations: running them, and knowing whether the database has them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

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
