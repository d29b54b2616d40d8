"""Stage 1: bytes become a version with its text."""

from __future__ import annotations

import io
import zipfile

import pytest

from documents.storage import storage
from errors import TaskError
from models.base import new_id
from settings import settings
from tests.actors.conftest import Bench


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
    starts = [each["start"] for each in anchors if each.get("kind") == "heading"]
    assert [text[start:].lstrip("# ").partition("\n")[0] for start in starts] == ["Part 1", "Part 2", "Part 3"]


def test_a_document_without_text_is_refused(bench: Bench) -> None:
    with pytest.raises(TaskError) as refused:
        bench.finish(bench.take_in(" \n\t\n"), "preprocessing")
    assert refused.value.code == "empty" and not refused.value.retryable
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
    assert [each[1]["document_id"] for each in members] == ["all.zip/a.txt", "all.zip/b/c.txt"]
    assert all(each[1]["upload_id"] == str(each[0]) and each[1]["chunk_size"] == 500 for each in members)
    assert [each[2:] for each in members] == [({"mine": 1}, "queued")] * 2
    bench.finish_all(members[1][0])
    assert bench.sql("SELECT text FROM versions") == [("Two.",)]
