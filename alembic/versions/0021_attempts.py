"""The attempts that did not end their stage, beside the stages; NULL until there is one."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("attempts", JSONB()))


def downgrade() -> None:
    op.drop_column("tasks", "attempts")
