"""What each connection has committed last, for whoever lost the answer to a COMMIT."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "commits",
        sa.Column("writer", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_commits")),
        postgresql_with={"fillfactor": 50},
    )


def downgrade() -> None:
    op.drop_table("commits")
