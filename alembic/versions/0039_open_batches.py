"""Batches that have not ended, however many have."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0039"
down_revision = "0038"

NAME = "ix_batches_open"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was interrupted leaves an index behind that is not valid.
        op.drop_index(NAME, "batches", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME, "batches", ["id"], postgresql_where=sa.text("finished_at IS NULL"), postgresql_concurrently=True
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "batches", postgresql_concurrently=True)
