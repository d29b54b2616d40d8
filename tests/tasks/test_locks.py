"""One task at a time for each document: whoever comes while another works on it waits for its end."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from errors import TaskError
from pipeline import STAGES
from tasks.dispatching import dispatch
from tasks.ending import ending, retrying
from tasks.process import process_id
from tasks.transactions.unit import unit_of_work
from tasks.types.document_processing import document_id_of
from tasks.working import claiming, failing, work
from tasks.working.claim import Advance, Wanted
from tasks.working.failing import Failure
from tests.tasks.conftest import Desk


def finish(desk: Desk, task_id: UUID, *stages: str) -> None:
    """Do these stages of a document's task."""
    for stage in stages:
        assert desk.within(work.advance, Advance(desk.held(task_id, stage), {})) == [True]


def waits_for(desk: Desk, task_id: UUID, other: UUID) -> None:
    row = desk.row(task_id)
    assert (row.status, row.waiting_for, row.attempt) == ("waiting", [other], 0)


def test_a_task_waits_while_another_works_on_its_document(desk: Desk) -> None:
    first, second = desk.document(), desk.document()
    finish(desk, first, "preprocessing")
    assert desk.claim(second, "preprocessing") is None
    waits_for(desk, second, first)
    finish(desk, first, *STAGES[1:])
    row = desk.row(second)
    assert (row.status, row.waiting_for) == ("queued", [])
    finish(desk, second, *STAGES)
    assert desk.sql("SELECT count(*) FROM locks") == [(0,)]


def test_other_documents_and_other_kbs_do_not_wait(desk: Desk) -> None:
    def document(kb_id: str, document_id: str) -> UUID:
        payload = {"content": "text", "document_id": document_id}
        return desk.submit(task_type="document_processing", kb_id=kb_id, payload=payload)[0]

    for task_id in (document("kb", "a"), document("kb", "b"), document("other", "a")):
        assert desk.claim(task_id, "preprocessing") is not None


def test_a_deletion_waits_for_the_ingestion_of_its_document(desk: Desk) -> None:
    ingestion = desk.document()
    (deletion,) = desk.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "d"})
    desk.held(ingestion, "preprocessing")
    assert desk.claim(deletion, "document_deletion") is None
    waits_for(desk, deletion, ingestion)


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_however_the_first_ends_the_second_runs(desk: Desk, end: str) -> None:
    first, second = desk.document(), desk.document()
    claim = desk.held(first, "preprocessing")
    assert desk.claim(second, "preprocessing") is None
    if end == "cancelled":
        desk.within(ending.cancel, first)
    else:
        desk.within(failing.fail, Failure(claim, TaskError("corrupt", "x")))
    assert (desk.row(first).status, desk.row(second).status) == (end, "queued")
    assert desk.claim(second, "preprocessing") is not None


def test_the_document_stays_taken_while_its_task_is_put_off_or_its_worker_has_died(desk: Desk) -> None:
    first, second = desk.document(), desk.document()
    desk.within(failing.fail, Failure(desk.held(first, "preprocessing"), TaskError("internal", "x")))
    assert desk.claim(second, "preprocessing") is None
    desk.sql("UPDATE tasks SET due_at = now() WHERE id = :id", id=first)
    with unit_of_work() as unit:
        assert dispatch.wake(unit) == 1
    desk.held(first, "preprocessing")
    with unit_of_work() as unit:
        failing.requeue(unit, process_id())
    waits_for(desk, second, first)
    finish(desk, first, *STAGES)
    assert desk.claim(second, "preprocessing") is not None


def test_a_retry_by_hand_waits_like_any_other(desk: Desk) -> None:
    first, second = desk.document(), desk.document()
    desk.within(failing.fail, Failure(desk.held(first, "preprocessing"), TaskError("corrupt", "x")))
    finish(desk, second, "preprocessing")
    with unit_of_work() as unit:
        assert retrying.retry(unit, [first]).task_ids == [first]
    assert desk.claim(first, "preprocessing") is None
    assert desk.row(first).waiting_for == [second]
    finish(desk, second, *STAGES[1:])
    finish(desk, first, *STAGES)


def test_of_two_in_one_commit_the_older_goes_first(desk: Desk) -> None:
    first, second = desk.document(), desk.document()
    wishes = [Wanted(second, "preprocessing"), Wanted(first, "preprocessing")]
    assert [claim and claim.task_id for claim in desk.within(claiming.claim, *wishes)] == [None, first]
    waits_for(desk, second, first)


def test_of_many_that_are_claimed_and_ended_at_once_none_overlaps_and_none_is_forgotten(desk: Desk) -> None:
    ids = [desk.document() for _ in range(12)]

    def run(task_id: UUID) -> bool:
        """Cancel what could be claimed, which ends it at once."""
        with unit_of_work() as unit:
            claim = claiming.claim(unit, [Wanted(task_id, "preprocessing")])[0]
        if claim is None:
            return False
        assert desk.sql("SELECT count(*) FROM tasks WHERE worker_id IS NOT NULL") == [(1,)]
        with unit_of_work() as unit:
            return ending.cancel(unit, [task_id]) == {task_id}

    left = set(ids)
    with ThreadPoolExecutor(6) as pool:
        while left:
            done = {task_id for task_id, ended in zip(sorted(left), pool.map(run, sorted(left)), strict=True) if ended}
            assert done, "each time at least one comes through"
            left -= done
    assert desk.sql("SELECT count(*) FROM tasks WHERE status = 'cancelled'") == [(12,)]


@pytest.mark.parametrize(
    ("payload", "document_id"),
    [
        ({"url": "https://example.com/a", "filename": "b"}, "https://example.com/a"),
        ({"file_path": "/srv/a.pdf", "filename": "b"}, "/srv/a.pdf"),
        ({"upload_id": "x", "filename": "a.pdf"}, "a.pdf"),
        ({"upload_id": "x"}, "x"),
        ({"content": "text"}, "sha256:" + hashlib.sha256(b"text").hexdigest()),
    ],
)
def test_a_document_without_an_id_is_called_by_its_source(payload: dict[str, Any], document_id: str) -> None:
    assert document_id_of(payload) == document_id


@pytest.mark.parametrize("letter", ["a", "茶", "🍵"])
def test_two_long_addresses_are_two_documents(letter: str) -> None:
    first, second = (document_id_of({"url": "https://example.com/" + letter * 600 + end}) for end in "xy")
    assert first != second
    assert len(first) <= 512
    assert len(first.encode()) <= 1500


def test_the_longest_names_can_be_locked(desk: Desk) -> None:
    # Random letters, since PostgreSQL packs what repeats itself.
    letters = [
        chr(0x20000 + int(value)) for (value,) in desk.sql("SELECT random() * 40000 FROM generate_series(1, 630)")
    ]
    payload = {"content": "text", "document_id": "".join(letters[:375])}
    (task_id,) = desk.submit(task_type="document_processing", kb_id="".join(letters[375:]), payload=payload)
    assert desk.claim(task_id, "preprocessing") is not None
    with pytest.raises(ValidationError):
        desk.submit(
            task_type="document_processing", kb_id="kb", payload=payload | {"document_id": "".join(letters[:376])}
        )


def test_an_earlier_task_that_another_worker_is_about_to_claim_is_not_overtaken(desk: Desk) -> None:
    first, second, third = desk.document(), desk.document(), desk.document()
    with unit_of_work() as claiming_first:
        # As the dispatch of another worker has it, until its claim is durable.
        claiming_first.session.execute(text("SELECT FROM tasks WHERE id = :id FOR UPDATE"), {"id": first})
        assert desk.claim(second, "preprocessing") is None
        assert desk.row(second).status == "queued"
    with unit_of_work() as unit:
        claims = claiming.claim(unit, [Wanted(task_id, "preprocessing") for task_id in (first, second, third)])
    assert [claim is not None for claim in claims] == [True, False, False]
    for task_id in (second, third):
        waits_for(desk, task_id, first)
