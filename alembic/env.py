"""Runs the migrations against the database that the settings name."""

from __future__ import annotations

from sqlalchemy import create_engine, pool, text

from alembic import context
from models import Base
from models.hosts import psycopg2_url
from settings import settings


def run() -> None:
    """Every migration in one transaction; two deploys at once wait for each other."""
    url = context.config.attributes.get("url") or settings().postgres_url
    engine = create_engine(psycopg2_url(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            connection.execute(text("SET LOCAL lock_timeout = '30s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('task-manager migrations'))"))
            context.run_migrations()


run()
