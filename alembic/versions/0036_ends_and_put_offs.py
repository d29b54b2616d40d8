"""How a task had ended before a bulk retried it, and since when a shard is put off."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.add_column("bulk_items", sa.Column("ended", JSONB()))
    op.add_column("shards", sa.Column("put_off_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("shards", "put_off_at")
    op.drop_column("bulk_items", "ended")
