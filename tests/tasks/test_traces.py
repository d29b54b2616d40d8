"""Which request and which trace a task belongs to goes with its messages, and to the documents of an archive."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from broker.messages import headers
from models.audit import Actor
from models.base import new_id
from tasks.accepting.submission import Accepted, Member, Submission, submit, submit_members
from tasks.ending import ending
from tasks.ending.ending import End
from tasks.transactions.unit import unit_of_work
from tests.tasks.conftest import Desk

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SAID = {"request_id": "morning-1", "traceparent": TRACEPARENT}
ACTOR = Actor("ops", **SAID)


def submitted(**fields: Any) -> UUID:
    with unit_of_work() as unit:
        (accepted,) = submit(unit, [Submission(**fields).by(ACTOR)])
    assert isinstance(accepted, Accepted)
    return accepted.task_id


def test_messages_say_it_in_their_headers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    publish = desk.broker.publish

    def noted(messages: list[Any]) -> Any:
        sent.extend(messages)
        return publish(messages)

    monkeypatch.setattr(desk.broker, "publish", noted)
    task_id = submitted(task_type="test")
    (message,) = sent
    assert headers(message) == {"task_id": str(task_id), "stage": "test", "attempt": 1, "tasks": 1, **SAID}
    desk.held(task_id)
    with unit_of_work() as unit:
        error = {
            "code": "internal",
            "message": "broken",
            "stage": "test",
            "retryable": False,
            "hint": "",
            "hint_zh": "",
        }
        ending.fail(unit, [End(task_id, error=error)])
    assert headers(sent[-1]).items() >= {"code": "internal", **SAID}.items()


def test_the_documents_of_an_archive_have_the_archive_s(desk: Desk) -> None:
    payload = {"content": "an archive", "document_id": "a.zip"}
    archive = submitted(task_type="document_processing", kb_id="kb", payload=payload)
    member = Member(new_id(), {"content": "text", "document_id": "a.zip/a.txt"})
    with unit_of_work() as unit:
        submit_members(unit, archive, [member])
    row = desk.row(member.task_id)
    assert {"request_id": row.request_id, "traceparent": row.traceparent} == SAID
    assert row.submitted_by == "ops"


def test_a_task_of_the_release_before_belongs_to_none(desk: Desk) -> None:
    task_id = submitted(task_type="test")
    desk.sql("UPDATE tasks SET request_id = NULL, traceparent = NULL")
    claim = desk.held(task_id)
    assert claim.named == {"task_id": task_id, "stage": "test", "attempt": 1}
