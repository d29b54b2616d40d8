"""Documents as they came, kept for as long as a version holds them."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.add_column("versions", sa.Column("original", sa.Uuid()))
    op.add_column("versions", sa.Column("content_type", sa.Text()))
    op.create_table(
        "originals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("page", sa.SmallInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("sha256", sa.LargeBinary()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", "page", name=op.f("pk_originals")),
    )
    op.create_table(
        "orphans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orphans")),
    )
    op.create_index(op.f("ix_orphans_due_at"), "orphans", ["due_at"])


def downgrade() -> None:
    op.drop_table("orphans")
    op.drop_table("originals")
    op.drop_column("versions", "content_type")
    op.drop_column("versions", "original")
