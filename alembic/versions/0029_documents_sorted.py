"""Lists of documents by when they were changed, and by their size."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0029"
down_revision = "0028"

COLUMNS: dict[str, str | sa.ColumnElement[int]] = {
    "ix_documents_updated_at": "updated_at",
    "ix_documents_size": sa.literal_column("coalesce(bytes, 0)"),
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, column in COLUMNS.items():
            # One that was interrupted leaves an index behind that is not valid.
            op.drop_index(name, "documents", if_exists=True, postgresql_concurrently=True)
            op.create_index(name, "documents", ["kb_id", column, "document_id"], postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in reversed(COLUMNS):
            op.drop_index(name, "documents", postgresql_concurrently=True)
