"""Stage 1: bytes become a version with its text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from documents.files.storage import storage
from errors import TaskError
from models.base import new_id
from settings import settings
from tests.actors.conftest import PIPELINE, TEXT, Bench
from tests.test_outbound import Site, answer


def test_a_stage_that_is_done_twice_keeps_one_version(bench: Bench) -> None:
    task_id = bench.take_in()
    bench.finish_twice(task_id, "preprocessing")
    rows = bench.sql("SELECT id, document_id, text, characters, length(text) FROM versions")
    assert [(row[0], row[1]) for row in rows] == [(task_id, "d")]
    assert rows[0][3] == rows[0][4]
    assert "Sentence 29 of part 3" in rows[0][2]
    assert bench.row(task_id).stage == "chunking"


def test_headings_are_kept_with_their_place_in_the_text(bench: Bench) -> None:
    bench.finish(bench.take_in(), "preprocessing")
    ((text, anchors),) = bench.sql("SELECT text, anchors FROM versions")
    starts = [anchor["start"] for anchor in anchors if anchor.get("kind") == "heading"]
    assert [text[start:].lstrip("# ").partition("\n")[0] for start in starts] == ["Part 1", "Part 2", "Part 3"]


def test_a_document_without_text_is_refused(bench: Bench) -> None:
    with pytest.raises(TaskError) as refused:
        bench.finish(bench.take_in(" \n\t\n"), "preprocessing")
    assert refused.value.code == "empty"
    assert not refused.value.retryable
    assert bench.sql("SELECT count(*) FROM versions") == [(0,)]


def test_an_archive_whose_worker_died_becomes_one_batch_all_the_same(bench: Bench) -> None:
    out, upload_id = io.BytesIO(), new_id()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", "One.")
        file.writestr("b/c.txt", "Two.")
    upload = storage(settings()).writer(upload_id, 10_000)
    upload.write(out.getvalue())
    upload.finish()
    payload = {"upload_id": str(upload_id), "filename": "all.zip", "chunk_size": 500}
    (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload, metadata={"mine": 1})

    bench.finish_twice(task_id, "preprocessing")

    row = bench.row(task_id)
    assert row.status == "completed"
    ((batch_id, total),) = bench.sql("SELECT id, total FROM batches")
    assert row.result == {"documents": 2, "warnings": [], "batch_id": str(batch_id)}
    assert total == 2
    members = bench.sql("SELECT id, payload, metadata, status FROM tasks WHERE batch_id IS NOT NULL ORDER BY id")
    assert [member[1]["document_id"] for member in members] == ["all.zip/a.txt", "all.zip/b/c.txt"]
    assert all(member[1]["upload_id"] == str(member[0]) and member[1]["chunk_size"] == 500 for member in members)
    assert [member[2:] for member in members] == [({"mine": 1}, "queued")] * 2
    bench.finish_all(members[1][0])
    assert bench.sql("SELECT text FROM versions") == [("Two.",)]


def result_of(bench: Bench, task_id: UUID) -> dict[str, Any]:
    row = bench.row(task_id)
    assert row.status == "completed"
    result: dict[str, Any] = row.result
    return result


def test_an_unchanged_document_is_recognised_before_any_work(bench: Bench) -> None:
    first = bench.take_in(chunk_size=300)
    bench.finish_all(first)
    made = result_of(bench, first)
    again = bench.take_in(chunk_size=300)
    bench.finish(again, "preprocessing")
    result = result_of(bench, again)
    assert (made["unchanged"], result["unchanged"]) == (False, True)
    assert result["tokens_embedded"] == 0
    assert result["chunks_reused"] == result["chunks"]
    same = ("document_id", "version", "chunks", "characters", "pages", "encoding")
    assert {name: result[name] for name in same} == {name: made[name] for name in same}
    assert result["warnings"][-1].startswith("unchanged: version 1 ")
    assert made["warnings"] == result["warnings"][:-1]
    assert bench.sql("SELECT version_id FROM documents") == [(first,)]
    assert bench.sql("SELECT count(*) FROM versions") == [(1,)]
    assert bench.claim(again, "chunking") is None, "the wake-up that follows finds nothing to do"


@pytest.mark.parametrize(
    "other",
    [
        {"content": TEXT + "!"},
        {"chunk_size": 400},
        {"chunk_overlap": 10},
        {"encoding": "utf-8"},
        {"content_type": "text/plain"},
        {"embedder": "cohere"},
        {"force": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_differs_is_processed(bench: Bench, other: dict[str, Any]) -> None:
    bench.finish_all(bench.take_in(chunk_size=300))
    again = bench.take_in(**{"chunk_size": 300, **other})
    bench.finish(again, "preprocessing")
    assert bench.row(again).status == "processing"
    assert bench.sql("SELECT count(*) FROM versions") == [(2,)]


def test_force_makes_the_same_version_anew_and_pays_for_nothing(bench: Bench) -> None:
    bench.finish_all(bench.take_in(embedder="local"))
    again = bench.take_in(embedder="local", force=True)
    bench.finish_all(again)
    result = result_of(bench, again)
    assert (result["version"], result["unchanged"], result["chunks_reused"]) == (2, False, result["chunks"])


def test_the_same_text_under_another_name_is_another_document(bench: Bench) -> None:
    bench.finish_all(bench.take_in())
    other = bench.take_in(document_id="another")
    bench.finish_all(other)
    assert result_of(bench, other)["unchanged"] is False


def test_an_unchanged_document_takes_what_is_newly_said_of_it(bench: Bench) -> None:
    payload = {"content": TEXT, "document_id": "d"}
    for said in ({"team": "a"}, {"team": "b"}):
        (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload, metadata=said)
        bench.finish(task_id, "preprocessing")
        if bench.row(task_id).status != "completed":
            for stage in PIPELINE[1:]:
                bench.finish(task_id, stage)
        assert bench.sql("SELECT metadata FROM documents") == [(said,)]


def test_a_document_that_was_taken_out_is_processed_again(bench: Bench) -> None:
    bench.finish_all(bench.take_in())
    (deletion,) = bench.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "d"})
    bench.finish(deletion, "document_deletion")
    again = bench.take_in()
    bench.finish_all(again)
    assert result_of(bench, again)["unchanged"] is False


def test_a_document_keeps_its_metadata_until_other_is_said(bench: Bench) -> None:
    def take_in(content: str, **said: Any) -> None:
        payload = {"content": content, "document_id": "d"}
        (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload, **said)
        bench.finish(task_id, "preprocessing")
        if bench.row(task_id).status != "completed":
            for stage in PIPELINE[1:]:
                bench.finish(task_id, stage)

    def kept() -> Any:
        return bench.sql("SELECT metadata FROM documents")[0][0]

    take_in("One.", metadata={"lang": "zh"})
    take_in("One.")
    assert kept() == {"lang": "zh"}, "the same bytes"
    take_in("Two.")
    assert kept() == {"lang": "zh"}, "other bytes"
    take_in("Two.", metadata={})
    assert kept() == {}, "none is said, and not left out"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site of this machine, from which documents may be fetched."""
    site = Site()
    monkeypatch.setenv("SOURCE_ALLOWED_HOSTS", site.host)
    settings.cache_clear()
    yield site
    site.close()
    settings.cache_clear()


def test_a_url_is_fetched_with_the_headers_that_were_kept_for_it(bench: Bench, site: Site) -> None:
    site.pages["/a.md"] = answer(200, TEXT.encode(), content_type="text/markdown")
    payload = {"url": site.url("/a.md"), "headers": {"Authorization": "Bearer s3cr3t"}}
    (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload)
    bench.finish_all(task_id)
    assert [said["authorization"] for _, said in site.requests] == ["Bearer s3cr3t"]
    row = bench.row(task_id)
    assert (row.status, row.source_headers) == ("completed", None)
    assert "s3cr3t" not in str(row)
    # The same bytes with another secret are the same version.
    again = {**payload, "headers": {"Authorization": "Bearer other", "X-A": "b"}}
    (second,) = bench.submit(task_type="document_processing", kb_id="kb", payload=again)
    bench.finish(second, "preprocessing")
    assert bench.row(second).result["unchanged"]


def test_a_url_whose_headers_are_gone_is_not_fetched(bench: Bench, site: Site) -> None:
    payload = {"url": site.url("/a.md"), "headers": {"Authorization": "Bearer s3cr3t"}}
    (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload)
    bench.sql("UPDATE tasks SET source_headers = NULL")
    with pytest.raises(TaskError, match="submit it again") as refused:
        bench.finish(task_id, "preprocessing")
    assert (refused.value.code, refused.value.retryable, site.requests) == ("not_found", False, [])


def test_members_of_an_archive_that_was_fetched_know_nothing_of_its_headers(bench: Bench, site: Site) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", "One.")
        file.writestr("b.txt", "Two.")
    site.pages["/all.zip"] = answer(200, out.getvalue())
    payload = {"url": site.url("/all.zip"), "headers": {"Authorization": "Bearer s3cr3t"}}
    (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload)
    bench.finish(task_id, "preprocessing")
    members = bench.sql("SELECT payload, source_headers FROM tasks WHERE batch_id IS NOT NULL")
    assert len(members) == 2
    for member in members:
        assert member.source_headers is None
        assert member.payload.keys().isdisjoint({"headers", "header_names", "url"})
