"""Many documents are taken out of their KB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from actors import documents_deletion
from errors import TaskError
from tasks.transactions.unit import Unit
from tasks.working import failing
from tasks.working.failing import Failure
from tests.actors.conftest import Bench
from worker.stage import Work


def taken_in(bench: Bench, *document_ids: str, **fields: Any) -> None:
    for document_id in document_ids:
        payload = {
            "content": f"# About\n\nwhat {document_id} says",
            "document_id": document_id,
            "content_type": "text/markdown",
        }
        (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload, **fields)
        bench.finish_all(task_id)


def deletion(bench: Bench, **payload: Any) -> UUID:
    return bench.submit(task_type="documents_deletion", kb_id="kb", payload=payload)[0]


def left(bench: Bench) -> list[str]:
    return [row.document_id for row in bench.sql("SELECT document_id FROM documents ORDER BY document_id")]


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        ({"ids": ["a/1", "none"]}, ["a/2", "b/1"]),
        ({"prefix": "a/"}, ["b/1"]),
        ({"prefix": "A/"}, ["a/1", "a/2", "b/1"]),
        ({"metadata": {"kind": ["letter", "note"]}}, ["a/1", "a/2"]),
        ({"prefix": "a/", "metadata": {"kind": "letter"}}, ["a/1", "a/2", "b/1"]),
        ({"all": True}, []),
    ],
    ids=str,
)
def test_the_documents_of_a_filter_go(bench: Bench, payload: dict[str, Any], kept: list[str]) -> None:
    taken_in(bench, "a/1", "a/2")
    taken_in(bench, "b/1", metadata={"kind": "letter"})
    task_id = deletion(bench, **payload)
    bench.finish(task_id, "documents_deletion")
    assert left(bench) == kept
    assert bench.row(task_id).result == {"deleted": 3 - len(kept)}


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        ({"state": "failed"}, ["current", "pending"]),
        ({"state": "pending"}, ["current", "failed"]),
        ({"state": "current"}, ["failed", "pending"]),
        ({"ids": ["pending", "failed"], "state": "failed"}, ["current", "pending"]),
        ({"format": "markdown", "prefix": "c"}, ["failed", "pending"]),
        ({"format": "pdf"}, ["current", "failed", "pending"]),
        ({"updated_after": "2000-01-01T00:00:00Z"}, []),
        ({"updated_after": "2990-01-01T00:00:00Z"}, ["current", "failed", "pending"]),
    ],
    ids=str,
)
def test_documents_go_by_what_the_list_knows_of_them(bench: Bench, payload: dict[str, Any], kept: list[str]) -> None:
    taken_in(bench, "current", "pending", "failed")
    pending, failed = (bench.take_in("# News\n\nnews", document_id=name) for name in ("pending", "failed"))
    failure = Failure(bench.held(failed, "preprocessing"), TaskError("corrupt", "x"))
    assert bench.within(failing.fail, failure) == [True]
    task_id = deletion(bench, **payload)
    bench.finish(task_id, "documents_deletion")
    assert left(bench) == kept
    assert bench.row(task_id).result == {"deleted": 3 - len(kept)}
    assert bench.row(pending).status == ("queued" if "pending" in kept else "failed"), "only what goes is overtaken"


@pytest.mark.parametrize("payload", [{"format": "pdf"}, {"ids": ["a", "b"], "state": "failed"}], ids=str)
def test_a_worker_that_does_not_know_the_rest_of_a_filter_finds_nothing_to_delete(
    bench: Bench, payload: dict[str, Any]
) -> None:
    stored = bench.row(deletion(bench, **payload)).payload
    assert {name: stored.get(name) for name in ("ids", "prefix", "metadata")} == {
        "ids": [],
        "prefix": None,
        "metadata": None,
    }


def test_what_happens_to_a_document_after_the_request_does_not_make_it_one_of_those_meant(bench: Bench) -> None:
    taken_in(bench, "later-failed", "later-changed")
    changed = bench.sql("SELECT now() AS at")[0].at
    by_state = deletion(bench, state="failed")
    by_time = deletion(bench, updated_after=changed.isoformat())
    failed = bench.take_in("# News\n\nnews", document_id="later-failed")
    assert bench.within(failing.fail, Failure(bench.held(failed, "preprocessing"), TaskError("corrupt", "x"))) == [True]
    bench.sql("UPDATE documents SET updated_at = now() WHERE document_id = 'later-changed' RETURNING 1")
    for task_id in (by_state, by_time):
        bench.finish(task_id, "documents_deletion")
    assert left(bench) == ["later-changed", "later-failed"]


def test_what_was_submitted_before_is_overtaken_and_what_comes_later_stays(bench: Bench) -> None:
    taken_in(bench, "d", "later")
    coming = bench.take_in("# News\n\nnews", document_id="d")
    named = bench.take_in("# News\n\nnews", document_id="named")
    task_id = deletion(bench, ids=["d", "later", "named"])
    bench.finish_all(bench.take_in("# New\n\nnews", document_id="later"))
    bench.finish(task_id, "documents_deletion")
    assert left(bench) == ["later"]
    assert [bench.row(task_id).error["code"] for task_id in (coming, named)] == ["superseded", "superseded"]


def test_what_a_dead_worker_has_removed_is_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    taken_in(bench, "a", "b", "c")
    task_id = deletion(bench, all=True)
    monkeypatch.setattr(documents_deletion, "AT_ONCE", 1)
    remove = documents_deletion._remove

    def dying(unit: Unit, work: Work, document_ids: Sequence[str]) -> None:
        remove(unit, work, document_ids)
        if list(document_ids) == ["b"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(documents_deletion, "_remove", dying)
    claim = bench.held(task_id, "documents_deletion")
    with pytest.raises(KeyboardInterrupt):
        bench.die_after(claim)
    assert left(bench) == ["b", "c"]
    monkeypatch.setattr(documents_deletion, "_remove", remove)
    assert bench.perform(claim)
    assert (left(bench), bench.row(task_id).result) == ([], {"deleted": 3})


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"all": False},
        {"prefix": ""},
        {"ids": []},
        {"metadata": {}},
        {"ids": [], "all": True},
        {"ids": [], "format": "pdf"},
    ],
)
def test_what_names_nothing_deletes_nothing(bench: Bench, payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        deletion(bench, **payload)
