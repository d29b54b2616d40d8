"""What a chunk repeats because it begins in the middle of it: the header of its table, the fence of its code."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("drafts", sa.Column("context", sa.Text(), nullable=True))
    op.add_column("chunks", sa.Column("context", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("chunks", "context")
    op.drop_column("drafts", "context")
