"""Tasks that are ready are one index, since no message stands for one of them alone."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0018"
down_revision = "0017"

READY = "worker_id IS NULL AND status IN ('queued', 'processing')"
KB: sa.ColumnElement[str] = sa.literal_column("coalesce(kb_id, '')")


def upgrade() -> None:
    op.create_index("ix_tasks_ready", "tasks", ["queue", "priority", KB, "id"], postgresql_where=sa.text(READY))
    op.create_index("ix_tasks_held", "tasks", ["queue", KB], postgresql_where=sa.text("worker_id IS NOT NULL"))
    op.drop_index("ix_tasks_claimed", "tasks")
    op.drop_index("ix_tasks_unpublished", "tasks")
    op.drop_index("ix_tasks_published", "tasks")
    # PL/pgSQL keeps the plan of its first call: made for one row, it joins each row with each other.
    op.execute("ALTER FUNCTION log_changed_tasks() SET enable_nestloop = off")


def downgrade() -> None:
    op.execute("ALTER FUNCTION log_changed_tasks() RESET enable_nestloop")
    for name, published in (("unpublished", "published_at IS NULL"), ("published", "published_at IS NOT NULL")):
        of_each = ["id"] if name == "unpublished" else []
        op.create_index(
            f"ix_tasks_{name}",
            "tasks",
            ["queue", "priority", KB, *of_each],
            postgresql_where=sa.text(f"{published} AND {READY}"),
        )
    op.create_index("ix_tasks_claimed", "tasks", ["worker_id"], postgresql_where=sa.text("worker_id IS NOT NULL"))
    op.drop_index("ix_tasks_held", "tasks")
    op.drop_index("ix_tasks_ready", "tasks")
