"""Settings of a KB that its documents and tasks inherit."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "kbs",
        sa.Column("kb_id", sa.Text(), nullable=False),
        sa.Column("chunking", postgresql.JSONB()),
        sa.Column("embedder", sa.Text()),
        sa.Column("callback_url", sa.Text()),
        sa.Column("callback_secret", sa.Text()),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("kb_id", name=op.f("pk_kbs")),
    )


def downgrade() -> None:
    op.drop_table("kbs")
