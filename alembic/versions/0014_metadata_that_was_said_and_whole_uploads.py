"""Whether a submission said `metadata`, and the length and digest of an upload, by which a missing page is noticed."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # What the release before submits counts as said, as there.
    op.add_column("tasks", sa.Column("has_metadata", sa.Boolean(), server_default="true", nullable=False))
    op.add_column("blobs", sa.Column("size", sa.BigInteger(), nullable=True))
    op.add_column("blobs", sa.Column("sha256", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("blobs", "sha256")
    op.drop_column("blobs", "size")
    op.drop_column("tasks", "has_metadata")
