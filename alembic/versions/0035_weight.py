"""How many turns a KB gets where another gets one."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.add_column("kbs", sa.Column("weight", sa.SmallInteger()))


def downgrade() -> None:
    op.drop_column("kbs", "weight")
