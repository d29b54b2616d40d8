"""The answer to a COMMIT of a stage is lost: the stage is handed back, or goes on, and is done once in the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from models import database as models_database
from tasks.working import failing
from tests.actors.conftest import PIPELINE, Bench
from tests.commit_proxy import CommitProxy


@pytest.fixture
def proxy(database_url: str) -> Iterator[CommitProxy]:
    with CommitProxy(database_url) as proxy:
        yield proxy


@pytest.fixture
def database(proxy: CommitProxy) -> Iterator[Engine]:
    yield models_database.connect(proxy.url, pool_size=5, application_name="tests")
    models_database.disconnect()


@pytest.mark.parametrize("lost", ["answers", "commits"])
@pytest.mark.parametrize("stage", PIPELINE)
def test_a_document_is_whole_whichever_commit_is_not_answered(
    bench: Bench, proxy: CommitProxy, stage: str, lost: str
) -> None:
    task_id = bench.take_in()
    bench.finish_all(task_id, until=stage)
    claim = bench.held(task_id, stage)
    (proxy.lose_answers if lost == "answers" else proxy.lose_commits)()
    try:
        over = bench.perform(claim)
    except OperationalError:
        # As the worker does, which takes it for nobody's error.
        assert bench.within(failing.hand_back, claim) == [True]
        over = bench.perform(bench.held(task_id, stage))
    assert over
    assert proxy.lost == 1
    for following in PIPELINE[PIPELINE.index(stage) + 1 :]:
        bench.finish(task_id, following)
    assert bench.sql("SELECT version_id FROM documents") == [(task_id,)]
    stored = "SELECT count(*), count(DISTINCT index), (SELECT chunks FROM documents) FROM chunks"
    ((count, distinct, noted),) = bench.sql(stored)
    assert count == distinct == noted > 0
