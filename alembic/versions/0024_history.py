"""What the counters said over time."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "history",
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sum", sa.Float(), nullable=False),
        sa.Column("buckets", ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("metric", "at", "labels", name=op.f("pk_history")),
    )


def downgrade() -> None:
    op.drop_table("history")
