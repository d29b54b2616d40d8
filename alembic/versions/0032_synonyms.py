"""Terms of a KB that mean the same."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.add_column("kbs", sa.Column("synonyms", postgresql.JSONB()))


def downgrade() -> None:
    op.drop_column("kbs", "synonyms")
