"""Stages that several workers share."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("shards", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_table(
        "shards",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("index", sa.SmallInteger(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("units_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker_id", sa.Uuid()),
        sa.Column("claimed_at", sa.DateTime(timezone=True)),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("errors", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("crashes", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("deaths", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("result", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("task_id", "stage", "index", name=op.f("pk_shards")),
    )
    op.create_index("ix_shards_claimed", "shards", ["worker_id"], postgresql_where=sa.text("worker_id IS NOT NULL"))


def downgrade() -> None:
    # The release before does such a stage as a whole; what its shards have written counts there too.
    op.execute(f"UPDATE tasks SET worker_id = NULL, published_at = NULL WHERE worker_id = '{UUID(int=0)}'")
    op.drop_table("shards")
    op.drop_column("tasks", "shards")
