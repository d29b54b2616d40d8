"""Who submitted a task, who paused a queue and why, and a log of what else was done."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("submitted_by", sa.Text()))
    for name in ("paused_by", "reason"):
        op.add_column("paused_queues", sa.Column(name, sa.Text()))
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target_kind", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text()),
        sa.Column("kb_id", sa.Text()),
        sa.Column("detail", JSONB(), server_default="{}", nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    for column in ("kb_id", "name", "action"):
        op.create_index(op.f(f"ix_audit_{column}_id"), "audit", [column, "id"])


def downgrade() -> None:
    op.drop_table("audit")
    for name in ("reason", "paused_by"):
        op.drop_column("paused_queues", name)
    op.drop_column("tasks", "submitted_by")
