"""Stage 5: the document points at its new version."""

from __future__ import annotations

import pytest

from errors import TaskError
from pipeline import STAGES
from tests.actors.conftest import TEXT, Bench


def test_the_document_is_shown_and_the_task_completed_at_once(bench: Bench) -> None:
    task_id = bench.take_in()
    bench.finish_all(task_id)
    row = bench.row(task_id)
    ((version, chunks),) = bench.sql("SELECT version_id, (SELECT count(*) FROM chunks) FROM documents")
    assert (row.status, row.progress, version) == ("completed", 100, task_id)
    assert row.result["document_id"] == "d"
    assert row.result["version"] == 1
    assert row.result["chunks"] == chunks
    assert row.result["characters"] >= len(TEXT) // 2
    assert row.result["timings"].keys() == set(STAGES)


def test_a_new_version_takes_the_place_of_the_old_one(bench: Bench) -> None:
    first, second = bench.take_in(), bench.take_in("Something else entirely.")
    bench.finish_all(first)
    bench.finish_all(second)
    assert bench.sql("SELECT version_id FROM documents") == [(second,)]
    assert bench.row(second).result["version"] == 2


def test_the_task_submitted_later_wins_in_whatever_order_they_end(bench: Bench) -> None:
    first, second = bench.take_in(), bench.take_in("Something else entirely.", priority="high")
    bench.finish_all(second)
    bench.finish_all(first, until="indexing")
    with pytest.raises(TaskError, match="superseded"):
        bench.finish(first, "indexing")
    assert bench.sql("SELECT version_id FROM documents") == [(second,)]


def test_nothing_of_the_work_in_progress_is_left(bench: Bench) -> None:
    bench.finish_all(bench.take_in())
    assert bench.sql("SELECT count(*) FROM drafts UNION ALL SELECT count(*) FROM draft_vectors") == [(0,), (0,)]
