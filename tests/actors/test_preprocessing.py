"""Stage 1: bytes become a version with its text."""

from __future__ import annotations

import pytest

from errors import TaskError
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
