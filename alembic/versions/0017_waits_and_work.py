"""How long a stage waited and was worked on, over all of its attempts."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    for name in ("waited", "worked"):
        op.add_column("tasks", sa.Column(name, sa.Float(), server_default="0", nullable=False))


def downgrade() -> None:
    for name in ("worked", "waited"):
        op.drop_column("tasks", name)
