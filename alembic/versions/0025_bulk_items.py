"""What a bulk has done to each task or callback, so that it resumes and can be undone."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "bulk_items",
        sa.Column("bulk_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("changed", sa.Boolean()),
        sa.Column("run", sa.SmallInteger()),
        sa.Column("before", sa.SmallInteger()),
        sa.Column("after", sa.SmallInteger()),
        sa.Column("refused", sa.Text()),
        sa.PrimaryKeyConstraint("bulk_id", "item_id", name=op.f("pk_bulk_items")),
    )
    # Of all callbacks those that were given up are few, and are what an operator looks for.
    op.create_index("ix_callbacks_failed", "callbacks", ["id"], postgresql_where=sa.text("status = 'failed'"))


def downgrade() -> None:
    op.drop_index("ix_callbacks_failed", table_name="callbacks")
    op.drop_table("bulk_items")
