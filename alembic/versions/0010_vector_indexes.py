"""Which HNSW indexes there are; they themselves are made and dropped while the service runs."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "vector_indexes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kb_id", sa.Text(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("after", sa.Uuid(), nullable=False),
        sa.Column("up_to", sa.Uuid(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_vector_indexes")),
    )
    op.create_index("ix_vector_indexes_kb_id", "vector_indexes", ["kb_id"])


def downgrade() -> None:
    names = op.get_bind().scalars(sa.text("SELECT name FROM vector_indexes")).all()
    for name in names:
        op.drop_index(name, "chunks", if_exists=True)
    op.drop_table("vector_indexes")
