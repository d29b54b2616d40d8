"""The end that a task had before it was retried: what is noted of it, and how it is given back."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from models.statement import Statement
from tasks.lifecycle import transition
from tasks.transitions.attempts import OF_STAGES, ended, kept
from tasks.transitions.pieces import resets

#: What makes an end besides the state. Attempts are told of every run.
_COLUMNS = tuple(name for name in transition("restore").sets if name != "attempts")
_NOTED = ", ".join(f"'{name}', t.{name}" for name in ("status", *_COLUMNS) if name != "stages")

#: A jsonb of the end of a row `t`. Whose its stages were is told by `attempts` from its next run on.
END_OF = f"""jsonb_build_object({_NOTED}, 'stages', (
            SELECT coalesce(jsonb_agg(each || '{{"worker": null}}'), '[]')
            FROM jsonb_array_elements(t.stages) AS each))"""

#: The attempts of the run that is stopped.
_STOPPED = f"""{OF_STAGES.format(and_only="")} || CASE
                WHEN held.begun_at IS NULL THEN '[]' ELSE {ended("'cancelled'", began="held.begun_at")} END"""


class Restored(NamedTuple):
    """A task that has its earlier end again; `shards`: those of the stage that was stopped."""

    id: UUID
    status: str
    batch_id: UUID | None
    shards: int


RESTORE = Statement(
    f"""
    WITH restored AS (
        UPDATE tasks AS t SET
            {", ".join(f"{name} = held.{name}" for name in ("status", *_COLUMNS))},
            attempts = {kept(_STOPPED)},
            {resets("restore")}
        FROM (
            SELECT own.id AS task_id, own.shards AS divided, earlier.*,
                CASE WHEN own.shards > 0 THEN own.stage_started_at ELSE own.claimed_at END AS begun_at
            FROM bulk_items AS item
            JOIN tasks AS own ON own.id = item.item_id
            CROSS JOIN LATERAL jsonb_populate_record(CAST(NULL AS tasks), item.ended) AS earlier
            WHERE item.bulk_id = :retried_by AND item.item_id = ANY(CAST(:ids AS uuid[])) AND item.ended IS NOT NULL
                AND own.status = ANY(CAST(:sources AS text[])) AND earlier.status = ANY(CAST(:targets AS text[]))
            ORDER BY own.id FOR UPDATE OF own
        ) AS held
        WHERE t.id = held.task_id
        RETURNING t.id, t.kb_id, t.subject, t.status, t.batch_id, held.divided AS shards
    ), unlocked AS (
        DELETE FROM locks USING restored
        WHERE locks.kb_id = coalesce(restored.kb_id, '') AND locks.subject = restored.subject
            AND locks.task_id = restored.id
    )
    SELECT id, status, batch_id, shards FROM restored
    """,
    Restored,
)
