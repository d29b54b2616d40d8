"""Tasks of no KB are in no index of KBs: most that are many and quick have none."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0037"
down_revision = "0036"

COLUMNS = ["kb_id", "status", "task_type", "id"]
BEFORE, NAME = "ix_tasks_kb_id_status_task_type_id", "ix_tasks_kb"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was interrupted leaves an index behind that is not valid.
        op.drop_index(NAME, "tasks", if_exists=True, postgresql_concurrently=True)
        where = sa.text("kb_id IS NOT NULL")
        op.create_index(NAME, "tasks", COLUMNS, postgresql_where=where, postgresql_concurrently=True)
        op.drop_index(BEFORE, "tasks", if_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(BEFORE, "tasks", if_exists=True, postgresql_concurrently=True)
        op.create_index(BEFORE, "tasks", COLUMNS, postgresql_concurrently=True)
        op.drop_index(NAME, "tasks", postgresql_concurrently=True)
