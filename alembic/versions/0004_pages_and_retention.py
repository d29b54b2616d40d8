"""Indexes that pages of the list and the retention are read from, and a vacuum that comes before the bloat."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("ix_tasks_kb_id_status_task_type_id", "tasks", ["kb_id", "status", "task_type", "id"])
    op.create_index("ix_tasks_status_task_type_id", "tasks", ["status", "task_type", "id"])
    op.drop_index("ix_tasks_kb_id_id", "tasks")
    # By default a table of 10 million rows, and every index of it, is left alone until 2 million rows are dead.
    op.execute("ALTER TABLE tasks SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000)")


def downgrade() -> None:
    op.execute("ALTER TABLE tasks RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)")
    op.create_index("ix_tasks_kb_id_id", "tasks", ["kb_id", "id"])
    op.drop_index("ix_tasks_status_task_type_id", "tasks")
    op.drop_index("ix_tasks_kb_id_status_task_type_id", "tasks")
