"""Each UPDATE of a task sets and resets what its transition says, and nothing else."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from models import Task
from models.statement import Statement
from tasks import transitions
from tasks.lifecycle import BLANK, TRANSITIONS, transition

#: The transitions that each statement is for; several where they differ in their states alone.
STATEMENTS = {
    "claiming.WAKE": ["wake"],
    "claiming.CLAIM": ["stand_back", "claim"],
    "ending.RELEASE_DEPENDENTS": ["release"],
    "ending.END": ["complete", "fail", "expire", "orphan", "supersede", "cancel"],
    "ending.RETRY": ["retry", "retry_later"],
    "failing.PUT_OFF": ["put_off"],
    "failing.GO_BACK": ["go_back"],
    "failing.HAND_BACK": ["hand_back"],
    "failing.HAND_BACK_ALL": ["hand_back"],
    "failing.DIED": ["requeue"],
    "failing.CONVICT": ["convict"],
    "failing.RESCUE": ["rescue"],
    "restoring.RESTORE": ["restore", "restore_cancelled"],
    "sharing.DIVIDE": ["divide"],
    "sharing.JOIN": ["join"],
    "working.ADVANCE": ["advance"],
    "working.PASS": ["pass"],
}
#: What is noted of a task while its state stays as it is.
NOTES = {
    "ending.FORGET_HEADERS": {"source_headers"},
    "ending.FORGET_HEADERS_OF": {"source_headers"},
    "prioritising.PRIORITISE": {"priority"},
    "sharing.OFFER_SHARD": {"worker_id", "claimed_at", "stage_attempts"},
    "sharing.REOFFER_SHARDS": {"worker_id"},
    "sharing.COUNT_SHARDS": {"units", "units_done", "progress"},
    "sharing.NOTE_SHARD_RETRY": {"retries", "error"},
    "sharing.GIVE_UP_SHARD": {"worker_id", "attempt"},
    "working.REPORT": {"units", "units_done", "progress"},
    "working.BEGIN": {"begun"},
}
#: These are written by the INSERT of a submission.
MADE = {"submit", "defer"}


def statements() -> dict[str, list[dict[str, str]]]:
    """What each statement of the room sets of `tasks`: for each of its UPDATEs an expression by column."""
    by_name = {}
    for path in Path(transitions.__path__[0]).glob("[a-z]*.py"):
        module = import_module(f"tasks.transitions.{path.stem}")
        for name, statement in vars(module).items():
            if isinstance(statement, Statement) and (updates := assignments(statement.sql)):
                by_name[f"{path.stem}.{name}"] = updates
    return by_name


def assignments(sql: str) -> list[dict[str, str]]:
    """The SET list of each UPDATE of `tasks`."""
    sql = re.sub(r"\s+", " ", sql)
    return [_assigned(sql[match.end() :]) for match in re.finditer(r"UPDATE tasks\b(?: AS t)? SET ", sql)]


def _assigned(rest: str) -> dict[str, str]:
    parts, depth = [""], 0
    for word in re.split(r"([(),]| )", rest):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth < 0 or (depth == 0 and word in ("FROM", "WHERE", "RETURNING")):
            break
        if depth == 0 and word == ",":
            parts.append("")
        else:
            parts[-1] += word
    pairs = [part.strip().split(" = ", 1) for part in parts]
    return {column: value.strip() for column, value in pairs}


FOUND = statements()


def test_every_statement_and_every_transition_is_known_here() -> None:
    assert FOUND.keys() == STATEMENTS.keys() | NOTES.keys()
    assert {name for names in STATEMENTS.values() for name in names} | MADE == {row.name for row in TRANSITIONS}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_writes_what_its_transitions_say(name: str) -> None:
    names = STATEMENTS[name]
    # The claim is two: of what it may have, and of what it stands back from.
    groups = [[single] for single in names] if len(FOUND[name]) > 1 else [names]
    for written, group in zip(FOUND[name], groups, strict=True):
        for row in map(transition, group):
            sets, resets = set(row.sets), set(row.resets)
            assert written.keys() - {"status"} == sets | resets, row.name
            assert {column for column in resets if written[column] != BLANK[column]} == set(), row.name
            assert not sets & resets
            assert "status" in written or row.sources == (row.target,)


@pytest.mark.parametrize("name", NOTES)
def test_what_is_noted_of_a_task_changes_no_state(name: str) -> None:
    (written,) = FOUND[name]
    assert written.keys() == NOTES[name]


def test_what_is_reset_is_a_column() -> None:
    assert BLANK.keys() <= set(Task.__table__.columns.keys())


def test_a_statement_that_sets_more_is_found() -> None:
    sql = "UPDATE tasks AS t SET status = :target, a = (SELECT x, y FROM z), b = CASE WHEN c THEN 1 END WHERE id = 1"
    assert assignments(sql) == [{"status": ":target", "a": "(SELECT x, y FROM z)", "b": "CASE WHEN c THEN 1 END"}]
