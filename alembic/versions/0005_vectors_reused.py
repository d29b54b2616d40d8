"""What a version was made with, and the vectors that it took over from chunks of the same text."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("versions", sa.Column("parameters", postgresql.JSONB(), server_default="{}", nullable=False))
    op.add_column("versions", sa.Column("chunks_reused", sa.Integer(), server_default="0", nullable=False))
    op.add_column("versions", sa.Column("chunks_refused", sa.Integer(), server_default="0", nullable=False))
    op.create_index(op.f("ix_chunks_hash"), "chunks", ["hash"], unique=False, postgresql_using="hash")


def downgrade() -> None:
    op.drop_index(op.f("ix_chunks_hash"), table_name="chunks", postgresql_using="hash")
    op.drop_column("versions", "chunks_refused")
    op.drop_column("versions", "chunks_reused")
    op.drop_column("versions", "parameters")
