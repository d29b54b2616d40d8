"""How often a task went back to an earlier stage, since what that makes was missing."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("returns", sa.SmallInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("tasks", "returns")
