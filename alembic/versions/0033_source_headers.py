"""Headers that documents' URLs are fetched with, apart from what is shown."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("source_headers", postgresql.JSONB()))
    op.add_column("schedules", sa.Column("source_headers", postgresql.JSONB()))


def downgrade() -> None:
    op.drop_column("schedules", "source_headers")
    op.drop_column("tasks", "source_headers")
