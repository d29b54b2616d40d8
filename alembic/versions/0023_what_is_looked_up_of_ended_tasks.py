"""Indexes for what is looked up of tasks that have ended; one that only completes, and works on no document, enters
none of them."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0023"
down_revision = "0022"

NOT_COMPLETED = sa.text("status IN ('failed', 'cancelled')")
OF_A_DOCUMENT = sa.text("subject IS NOT NULL AND status IN ('completed', 'failed', 'cancelled')")
CODE: sa.ColumnElement[str] = sa.literal_column("(error->>'code')")


def upgrade() -> None:
    op.create_index("ix_tasks_document", "tasks", ["kb_id", "subject", "id"], postgresql_where=OF_A_DOCUMENT)
    op.create_index("ix_tasks_error", "tasks", [CODE, "id"], postgresql_where=NOT_COMPLETED)
    op.create_index("ix_tasks_not_completed", "tasks", ["finished_at"], postgresql_where=NOT_COMPLETED)


def downgrade() -> None:
    for name in ("not_completed", "error", "document"):
        op.drop_index(f"ix_tasks_{name}", "tasks")
