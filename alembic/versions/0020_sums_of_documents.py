"""What a document adds to its KB's sums, so that these need no look at its version."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("documents", sa.Column("bytes", sa.BigInteger()))
    op.add_column("documents", sa.Column("tokens_embedded", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("documents", "tokens_embedded")
    op.drop_column("documents", "bytes")
