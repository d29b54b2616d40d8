"""What the statement that ends an attempt keeps of it, in `attempts` of its row.

A stage that its first attempt completes writes no more than before: its entry in `stages` names the worker, and tells
all of it. Wherever more is to be told, `attempts` has it, and the entry names nobody.
"""

from __future__ import annotations

#: Attempts of a task that are kept: the newest.
MOST = 100

#: Whether the attempt that began at `{began}` is the first of its stage, and so the only one if it completes it.
IS_FIRST = "{began} = t.stage_started_at"


def kept(more: str) -> str:
    """Say what `attempts` of a row `t` becomes with more of them behind: a jsonb of one, or an array."""
    return f"jsonb_path_query_array(coalesce(t.attempts, '[]') || {more}, '$[last - {MOST - 1} to last]')"


def ended(
    outcome: str, *, began: str = "t.claimed_at", until: str = "now()", error: str = "CAST(NULL AS jsonb)"
) -> str:
    """Make a jsonb of the attempt of a row `t` that ends.

    Parameters:
      outcome: in SQL, as each of these.
      error: one as the task shows it, whose hints are not repeated.
    """
    return f"""jsonb_build_object(
            'run', t.run, 'stage', t.stage, 'number', t.stage_attempts, 'worker', t.worker_id,
            'started_at', {began}, 'finished_at', greatest({began}, {until}),
            'waited', greatest(0, extract(epoch FROM {began} - t.due_at)), 'outcome', {outcome},
            'error', {error} - CAST('{{stage,hint,hint_zh}}' AS text[]))"""


#: Of stages that an only attempt completed, and that another run or another way through the stages forgets: these
#: attempts, as an array. What an earlier release wrote does not say whose they were.
OF_STAGES = """(
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'run', t.run, 'stage', each->'name', 'number', each->'attempts', 'worker', each->'worker',
                'started_at', each->'started_at', 'finished_at', each->'finished_at', 'waited', each->'waited',
                'outcome', each->'status', 'error', NULL)), '[]')
            FROM jsonb_array_elements(t.stages) AS each
            WHERE each->'worker' IS DISTINCT FROM 'null' {and_only})"""
