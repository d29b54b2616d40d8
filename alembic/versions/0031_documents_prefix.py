"""Documents by what their ids begin with."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0031"
down_revision = "0030"

NAME, ORIGINAL = "ix_documents_prefix", "ix_versions_original"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was interrupted leaves an index behind that is not valid.
        op.drop_index(NAME, "documents", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "documents",
            ["kb_id", "document_id"],
            postgresql_ops={"document_id": "text_pattern_ops"},
            postgresql_concurrently=True,
        )
        op.drop_index(ORIGINAL, "versions", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            ORIGINAL,
            "versions",
            ["original"],
            postgresql_where=sa.text("original IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(ORIGINAL, "versions", postgresql_concurrently=True)
        op.drop_index(NAME, "documents", postgresql_concurrently=True)
