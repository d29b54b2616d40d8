"""Tasks whose headers are to be forgotten."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0034"
down_revision = "0033"

NAME = "ix_tasks_source_headers"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was interrupted leaves an index behind that is not valid.
        op.drop_index(NAME, "tasks", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "tasks",
            ["finished_at"],
            postgresql_where=sa.text("source_headers IS NOT NULL AND finished_at IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "tasks", postgresql_concurrently=True)
