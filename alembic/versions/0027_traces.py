"""Which request a task was submitted by, and which trace that belongs to."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("request_id", sa.Text()))
    op.add_column("tasks", sa.Column("traceparent", sa.Text()))


def downgrade() -> None:
    op.drop_column("tasks", "traceparent")
    op.drop_column("tasks", "request_id")
