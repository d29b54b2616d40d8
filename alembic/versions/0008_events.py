"""A log of what happens to tasks and batches, kept by triggers."""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"

WRITTEN = "INSERT INTO events (task_id, batch_id, status, stage, progress)"

#: Of whole statements, since workers and submissions write many rows in one.
SUBMITTED = f"""
    CREATE FUNCTION log_submitted_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {WRITTEN} SELECT id, batch_id, status, stage, progress FROM submitted WHERE finished_at IS NULL ORDER BY id;
        RETURN NULL;
    END $$;
    CREATE TRIGGER log_submitted AFTER INSERT ON tasks REFERENCING NEW TABLE AS submitted
        FOR EACH STATEMENT EXECUTE FUNCTION log_submitted_tasks()
"""
CHANGED = f"""
    CREATE FUNCTION log_changed_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {WRITTEN} SELECT id, t.batch_id, t.status, t.stage, t.progress
        FROM is_now AS t JOIN was USING (id)
        WHERE (t.status, t.stage, t.progress) IS DISTINCT FROM (was.status, was.stage, was.progress)
        ORDER BY id;
        RETURN NULL;
    END $$;
    CREATE TRIGGER log_changed AFTER UPDATE ON tasks REFERENCING OLD TABLE AS was NEW TABLE AS is_now
        FOR EACH STATEMENT EXECUTE FUNCTION log_changed_tasks()
"""
ENDED = f"""
    CREATE FUNCTION log_ended_batch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {WRITTEN} VALUES (NULL, new.id, 'completed', NULL, 100);
        RETURN NULL;
    END $$;
    CREATE TRIGGER log_ended AFTER UPDATE OF finished_at ON batches
        FOR EACH ROW WHEN (old.finished_at IS NULL AND new.finished_at IS NOT NULL)
        EXECUTE FUNCTION log_ended_batch()
"""


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("task_id", sa.Uuid()),
        sa.Column("batch_id", sa.Uuid()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text()),
        sa.Column("progress", sa.REAL(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    # Rows come at one end and go at the other: vacuum soon, so that the pages are used again.
    op.execute("ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100000)")
    for function in (SUBMITTED, CHANGED, ENDED):
        op.execute(function)


def downgrade() -> None:
    op.execute("DROP FUNCTION log_submitted_tasks, log_changed_tasks, log_ended_batch CASCADE")
    op.drop_table("events")
