"""Why the task of a schedule is refused, in Chinese as well."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    op.add_column("schedules", sa.Column("last_error_zh", sa.Text()))


def downgrade() -> None:
    op.drop_column("schedules", "last_error_zh")
