"""Headers that a URL is fetched with: which may be said, where they are kept, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from errors import TaskError
from models import Task, database
from models.audit import Actor
from tasks.accepting.again import submit_again
from tasks.accepting.idempotency import Key, Reused
from tasks.accepting.submission import Submission, submit
from tasks.ending import ending, retention, retrying
from tasks.input.fields import Filter
from tasks.transactions.unit import unit_of_work
from tasks.types.document_processing import member_payload, parameters_of
from tasks.views import reading
from tasks.working import claiming, failing, work
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tests.tasks.accepting.schedules.test_schedules import fallen_due, made, row, tick
from tests.tasks.conftest import Desk

SECRET = "s3cr3t"
HEADERS = {"Authorization": f"Bearer {SECRET}", "X-Tenant": "kb"}
URL = "https://wiki.example/a.md"


def document(headers: Any = HEADERS, **more: Any) -> dict[str, Any]:
    payload = {"url": URL, "headers": headers, **more}
    return {"task_type": "document_processing", "kb_id": "kb", "payload": payload}


def submitted(desk: Desk, **more: Any) -> UUID:
    return desk.submit(**document(**more))[0]


def kept(desk: Desk, task_id: UUID) -> dict[str, str] | None:
    headers: dict[str, str] | None = desk.row(task_id).source_headers
    return headers


def fail(desk: Desk, task_id: UUID) -> None:
    error = TaskError("fetch_failed", "x", retryable=False)
    assert desk.within(failing.fail, Failure(desk.held(task_id, "preprocessing"), error)) == [True]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"{SECRET}\r\nX-A: b"}, {"Authorization": f"{SECRET}\n"}, {"Authorization": f"{SECRET}\0"},
        {"Authorization": f" {SECRET}"}, {"Authorization": f"{SECRET}é"}, {"Authorization": ""},
        {f"X {SECRET}": "a"}, {f"{SECRET}:": "a"}, {"": SECRET}, {f"{SECRET}\r\nHost": "a"}, {"Ключ": SECRET},
        {"Host": SECRET}, {"content-length": SECRET}, {"Transfer-Encoding": SECRET}, {"CONNECTION": SECRET},
        {"Range": SECRET}, {"X-A": SECRET, "x-a": SECRET}, {f"X-{n}": SECRET for n in range(21)},
        {"X-A": SECRET * 2000}, {"X-A": [SECRET]}, {"X-A": 7}, {"X-A": None}, [SECRET], SECRET, [["X-A", SECRET]],
    ],
    ids=lambda case: ascii(case)[:30],
)  # fmt: skip
def test_headers_that_do_not_fit_are_refused_and_not_quoted(headers: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Submission(**document(headers))
    said = refused.value.errors(include_url=False, include_input=False, include_context=False)
    assert said[0]["loc"][0] == "payload"
    assert SECRET not in str(said)


@pytest.mark.parametrize("source", [{"content": "a"}, {"file_path": "/a"}, {"url": "s3://bucket/a"}])
def test_headers_go_with_a_url_of_the_web_alone(source: dict[str, str]) -> None:
    payload = {"url": None, **source}
    with pytest.raises(ValidationError, match="only with an http"):
        Submission(**document(**payload))


def test_a_url_without_headers_is_as_ever(desk: Desk) -> None:
    nothing: tuple[Any, Any] = (None, {})
    for headers in nothing:
        task_id = submitted(desk, headers=headers)
        assert kept(desk, task_id) is None
        assert desk.row(task_id).payload.keys().isdisjoint({"headers", "header_names"})


def test_headers_are_kept_apart_and_their_names_are_shown(desk: Desk) -> None:
    task_id = submitted(desk)
    assert kept(desk, task_id) == HEADERS
    columns = {name: value for name, value in desk.row(task_id)._mapping.items() if name != "source_headers"}
    assert SECRET not in str(columns)
    with database.transaction() as session:
        shown = reading.show(session, task_id)
        (listed,) = reading.page(session, Filter(kb_id="kb"), limit=10)
    assert shown is not None
    for task in (shown, listed):
        assert task["payload"]["header_names"] == ["Authorization", "X-Tenant"]
        assert "headers" not in task["payload"]
        assert SECRET not in str(task)
    for others in desk.sql("SELECT events::text FROM events"), desk.sql("SELECT audit::text FROM audit"):
        assert SECRET not in str(others)


def test_what_is_not_the_documents_own_says_nothing_of_headers(desk: Desk) -> None:
    payload = desk.row(submitted(desk, chunk_size=500)).payload
    assert parameters_of(payload).keys() == {"chunk_size", "chunk_overlap", "chunk_unit"}
    assert "header_names" not in member_payload(payload, "a/b.txt")


def test_the_stage_that_fetches_gets_them(desk: Desk) -> None:
    claim = desk.held(submitted(desk), "preprocessing")
    assert SECRET not in str(claim)
    with database.transaction() as session:
        assert claiming.source_headers(session, claim) == HEADERS


def test_they_go_with_the_end_of_a_task_that_completes(desk: Desk) -> None:
    task_id = submitted(desk)
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing")))
    assert kept(desk, task_id) == HEADERS, "a later stage may lead back"
    desk.within(work.advance, Advance(desk.held(task_id, "chunking"), {}, ends=True))
    assert desk.row(task_id).status == "completed"
    assert kept(desk, task_id) is None


def test_one_that_failed_or_was_cancelled_has_them_for_its_retry_and_a_day(desk: Desk) -> None:
    failed, cancelled = submitted(desk), submitted(desk, document_id="other")
    fail(desk, failed)
    with unit_of_work() as unit:
        ending.cancel(unit, [cancelled])
        retention.forget_headers(unit)
    assert kept(desk, failed) == kept(desk, cancelled) == HEADERS
    with unit_of_work() as unit:
        assert retrying.retry(unit, [failed]).task_ids == [failed]
    fail(desk, failed)
    longer = retention.RESUMABLE + timedelta(minutes=1)
    desk.sql("UPDATE tasks SET finished_at = now() - CAST(:longer AS interval)", longer=longer)
    with unit_of_work() as unit:
        retention.forget_headers(unit)
        refused = retrying.retry(unit, [failed, cancelled]).refused
    assert kept(desk, failed) is kept(desk, cancelled) is None
    assert refused.keys() == {failed, cancelled}
    assert all("submit it again" in reason for reason in refused.values())


def test_one_that_was_overtaken_can_never_run_again_and_has_none(desk: Desk) -> None:
    task_id = submitted(desk)
    with unit_of_work() as unit:
        assert ending.overtake(unit, "kb", URL, "document_processing") == 1
    assert (desk.row(task_id).status, kept(desk, task_id)) == ("failed", None)


def test_one_is_not_ingested_again_without_them(desk: Desk) -> None:
    task_id = submitted(desk)
    with unit_of_work() as unit:
        refused = submit_again(unit, Actor("ops"), [unit.session.get_one(Task, task_id)])
    assert "headers are not kept" in refused[task_id]


def test_the_same_key_with_other_headers_is_another_request(desk: Desk) -> None:
    def under(key: Key) -> Any:
        with unit_of_work() as unit:
            return submit(unit, [Submission(**document()).under(key)])[0]

    first, same, other = (
        Key.of("ops", "order-4711", Submission(**document(headers)).model_dump_json().encode())
        for headers in (HEADERS, dict(HEADERS), {**HEADERS, "X-Tenant": "other"})
    )
    assert under(first) == under(same)
    assert isinstance(under(other), Reused)


def test_a_schedule_keeps_them_apart_and_submits_with_them(desk: Desk) -> None:
    schedule_id = made(task=document())
    assert row(schedule_id).source_headers == HEADERS
    fallen_due(desk, schedule_id)
    tick()
    (task,) = desk.sql("SELECT payload, source_headers FROM tasks")
    assert task.source_headers == HEADERS
    assert task.payload["header_names"] == sorted(HEADERS)
    ((shown,),) = desk.sql("SELECT (to_jsonb(schedules) - 'source_headers')::text FROM schedules")
    assert SECRET not in shown
