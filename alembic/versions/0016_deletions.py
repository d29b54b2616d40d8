"""When documents were deleted, and an index of the tasks that were to work on one."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "deletions",
        sa.Column("kb_id", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kb_id", "document_id", name=op.f("pk_deletions")),
    )
    op.create_index(
        "ix_tasks_subject",
        "tasks",
        ["kb_id", "subject"],
        postgresql_where=sa.text("subject IS NOT NULL AND status IN ('waiting', 'queued', 'processing')"),
    )


def downgrade() -> None:
    op.drop_index("ix_tasks_subject", table_name="tasks")
    op.drop_table("deletions")
