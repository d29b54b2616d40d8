"""Whether a suspect had begun when its worker died: else that is no reason to hold it against it."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    for table in ("tasks", "shards"):
        op.add_column(table, sa.Column("begun", sa.Integer()))


def downgrade() -> None:
    for table in ("tasks", "shards"):
        op.drop_column(table, "begun")
