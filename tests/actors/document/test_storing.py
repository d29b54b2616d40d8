"""Stage 4: drafts and vectors become chunks, which nothing points at yet."""

from __future__ import annotations

from tests.actors.conftest import Bench


def test_a_stage_that_is_done_twice_stores_each_chunk_once(bench: Bench) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50)
    bench.finish_all(task_id, until="storing")
    bench.finish_twice(task_id, "storing")
    ((drafts, chunks),) = bench.sql("SELECT (SELECT count(*) FROM drafts), (SELECT count(*) FROM chunks)")
    assert drafts == chunks > 9


def test_what_is_stored_is_not_yet_shown(bench: Bench) -> None:
    bench.finish_all(bench.take_in(), until="indexing")
    assert bench.sql("SELECT count(*) FROM documents") == [(0,)]


def test_a_stored_version_leaves_the_shown_one_as_it_is(bench: Bench) -> None:
    first, second = bench.take_in(), bench.take_in("Something else entirely.")
    bench.finish_all(first)
    bench.finish_all(second, until="indexing")
    assert bench.sql("SELECT version_id FROM documents") == [(first,)]
