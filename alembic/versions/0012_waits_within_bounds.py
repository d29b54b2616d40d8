"""Tasks that another server's `Retry-After` has put off beyond all bounds are tried again."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    # No retry is put off by more than an hour, and a `run_at` is no retry.
    op.execute(
        "UPDATE tasks SET due_at = now() WHERE status = 'waiting' AND errors > 0 AND due_at > now() + interval '1 day'"
    )
    op.execute("UPDATE shards SET due_at = now() WHERE errors > 0 AND due_at > now() + interval '1 day'")
    op.execute("UPDATE paces SET free_at = now() WHERE free_at > now() + interval '1 day'")


def downgrade() -> None:
    """Nothing to undo."""
