"""The first task that anybody submits."""

from __future__ import annotations

from tests.actors.conftest import Bench


def test_it_answers_with_its_message(bench: Bench) -> None:
    (task_id,) = bench.submit(task_type="test", payload={"message": "hello"})
    bench.finish(task_id, "test")
    assert bench.row(task_id).result == {"echo": {"message": "hello"}}
