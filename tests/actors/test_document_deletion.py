"""A document is taken out of its KB."""

from __future__ import annotations

import pytest

from errors import TaskError
from tests.actors.conftest import Bench


def test_a_deleted_document_is_shown_no_more(bench: Bench) -> None:
    bench.finish_all(bench.take_in())
    (task_id,) = bench.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "d"})
    bench.finish(task_id, "document_deletion")
    assert bench.sql("SELECT count(*) FROM documents") == [(0,)]
    assert bench.row(task_id).result == {"document_id": "d"}


def test_a_document_that_does_not_exist_cannot_be_deleted(bench: Bench) -> None:
    (task_id,) = bench.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "d"})
    with pytest.raises(TaskError) as refused:
        bench.finish(task_id, "document_deletion")
    assert refused.value.code == "not_found"
