"""Versions that a reindexing makes of others, with vectors of their own."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("versions", sa.Column("maker", sa.Uuid(), nullable=True))
    op.add_column("versions", sa.Column("origin", sa.Uuid(), nullable=True))
    op.create_unique_constraint(op.f("uq_versions_maker_origin"), "versions", ["maker", "origin"])


def downgrade() -> None:
    op.drop_constraint(op.f("uq_versions_maker_origin"), "versions", type_="unique")
    op.drop_column("versions", "origin")
    op.drop_column("versions", "maker")
