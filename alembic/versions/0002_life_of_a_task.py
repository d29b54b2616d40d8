"""Schedules, dependencies, retries by hand, idempotency keys, paused queues and rate limits; a fair dispatch."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0002"
down_revision = "0001"

READY = "worker_id IS NULL AND status IN ('queued', 'processing')"
KB = sa.text("coalesce(kb_id, '')")
Columns = Sequence[str | sa.TextClause]


def upgrade() -> None:
    op.add_column("tasks", sa.Column("run_at", sa.DateTime(timezone=True)))
    op.add_column("tasks", sa.Column("expires_at", sa.DateTime(timezone=True)))
    for name in ("depends_on", "waiting_for"):
        op.add_column("tasks", sa.Column(name, postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False))
    op.add_column("tasks", sa.Column("on_dependency_failure", sa.Text(), server_default="fail", nullable=False))
    for table in ("tasks", "batches", "callbacks"):
        op.add_column(table, sa.Column("run", sa.SmallInteger(), server_default="1", nullable=False))
    _index_tasks(["queue", "priority", KB, "id"], ["queue", "priority", KB])
    op.create_index(
        "ix_tasks_waiting_for",
        "tasks",
        ["waiting_for"],
        postgresql_using="gin",
        postgresql_where=sa.text("waiting_for <> '{}'"),
    )
    op.create_index(
        "ix_tasks_expiring",
        "tasks",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL AND started_at IS NULL AND status IN ('waiting', 'queued')"),
    )
    for column in ("task_id", "batch_id"):
        op.drop_constraint(f"uq_callbacks_{column}", "callbacks")
        op.create_unique_constraint(f"uq_callbacks_{column}_run", "callbacks", [column, "run"])
    op.add_column(
        "callbacks", sa.Column("log", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False)
    )
    # No release has been made with it, so it need not outlive a deploy.
    op.drop_column("callbacks", "last_answer")
    op.create_table(
        "paused_queues",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_paused_queues")),
    )
    op.create_table(
        "paces",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_paces")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def _index_tasks(unpublished: Columns, published: Columns) -> None:
    """Make the two indexes of the dispatch anew."""
    for name, columns, state in (
        ("ix_tasks_unpublished", unpublished, "published_at IS NULL"),
        ("ix_tasks_published", published, "published_at IS NOT NULL"),
    ):
        op.drop_index(name, "tasks")
        op.create_index(name, "tasks", columns, postgresql_where=sa.text(f"{state} AND {READY}"))


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.drop_table("paces")
    op.drop_table("paused_queues")
    op.add_column("callbacks", sa.Column("last_answer", sa.Text()))
    op.drop_column("callbacks", "log")
    # The release before knows one end of a task: the newest.
    op.execute(
        "DELETE FROM callbacks AS c USING callbacks AS newer "
        "WHERE (newer.task_id = c.task_id OR newer.batch_id = c.batch_id) AND newer.run > c.run"
    )
    for column in ("task_id", "batch_id"):
        op.drop_constraint(f"uq_callbacks_{column}_run", "callbacks")
        op.create_unique_constraint(f"uq_callbacks_{column}", "callbacks", [column])
    op.drop_index("ix_tasks_expiring", "tasks")
    op.drop_index("ix_tasks_waiting_for", "tasks")
    _index_tasks(["queue", sa.text("priority DESC"), "id"], ["queue", "priority", "published_at"])
    for table in ("callbacks", "batches", "tasks"):
        op.drop_column(table, "run")
    for name in ("on_dependency_failure", "waiting_for", "depends_on", "expires_at", "run_at"):
        op.drop_column("tasks", name)
