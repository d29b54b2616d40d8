"""Lists of documents by when they were changed, and by their size."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0029"
down_revision = "0028"

SIZE: sa.ColumnElement[int] = sa.literal_column("coalesce(bytes, 0)")


def upgrade() -> None:
    op.create_index("ix_documents_updated_at", "documents", ["kb_id", "updated_at", "document_id"])
    op.create_index("ix_documents_size", "documents", ["kb_id", SIZE, "document_id"])


def downgrade() -> None:
    for name in ("size", "updated_at"):
        op.drop_index(f"ix_documents_{name}", "documents")
