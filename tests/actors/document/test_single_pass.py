"""A small, new document in one pass: what is seen of it afterwards, and what leads to the longer way instead."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from actors.document import single_pass
from documents.embedding.local import LocalEmbedder
from documents.sandbox import child
from documents.sandbox.child import Reading, Splitting
from documents.searching.search import ask, search
from documents.storing import deletions
from errors import TaskError
from models import database
from tasks import process
from tasks.dispatching import dispatch
from tasks.ending import ending
from tasks.working import failing, work
from tasks.working.claim import Advance, Claim
from tasks.working.fence import NotHeld
from tests.actors.conftest import PIPELINE, TEXT, Bench
from tests.cohere_server import CohereServer
from worker import stage as stages
from worker.loop import Loop
from worker.outcomes import is_away
from worker.process import PROCESS


def advance_of(claim: Claim) -> Advance:
    """What a worker that serves every queue makes of a claim."""
    return stages.FUNCTIONS[claim.stage](stages.Work(claim, dispatch.queues()))


def work_off(task_id: UUID, *queues: str) -> None:
    """Have one thread of a worker do all that waits."""
    loop = Loop(lambda claim: stages.FUNCTIONS[claim.stage](stages.Work(claim, loop.queues.names)))
    loop.serve(queues or dispatch.queues(), 1)
    loop.work_off(None)
    PROCESS.commits.flush(5)


def names(bench: Bench, task_id: UUID) -> list[str]:
    return [entry["name"] for entry in bench.row(task_id).stages]


@pytest.fixture
def took(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each document whether it went through in one pass."""
    seen: list[bool] = []
    original: Any = single_pass.through

    def through(*arguments: Any) -> Any:
        advance = original(*arguments)
        seen.append(advance is not None)
        return advance

    monkeypatch.setattr(single_pass, "through", through)
    return seen


def test_it_leaves_what_the_stages_leave(bench: Bench, took: list[bool]) -> None:
    one, other = bench.take_in(document_id="in one pass"), bench.take_in(document_id="stage by stage")
    bench.finish_all(other)
    work_off(one)
    assert took == [True]
    kept = (
        "format, encoding, sha256, size, characters, pages, text, anchors, properties, parameters, warnings, embedder"
    )
    for columns, table in (
        (f"{kept}, chunks, number, tokens_embedded, chunks_refused, filename, content_type", "versions"),
        ("index, kb_id, start_offset, end_offset, page, heading_path, context, text, hash, embedder, tokens,"
         " token_count, embedding::text", "chunks"),
        ("page, data, size, sha256", "originals"),
    ):  # fmt: skip
        key = "version_id" if table == "chunks" else "id"
        ours, theirs = (
            bench.sql(f"SELECT {columns} FROM {table} WHERE {key} = :id ORDER BY 1", id=version_id)
            for version_id in (one, other)
        )
        assert ours == theirs != []
    assert bench.sql("SELECT count(*) FROM versions WHERE original IS DISTINCT FROM id") == [(0,)]
    assert bench.sql("SELECT count(*) FROM orphans") == [(0,)], "it is written with the version that holds it"
    documents = bench.sql("SELECT embedder, chunks, tokens, metadata FROM documents")
    assert len(documents) == 2
    assert documents[0] == documents[1]
    assert bench.sql("SELECT count(*) FROM drafts") == [(0,)]
    ours, theirs = (bench.row(task_id).result for task_id in (one, other))
    assert ours["timings"].keys() == theirs["timings"].keys() == set(PIPELINE)
    assert ours["chunks_reused"] == ours["chunks"], "the KB had the vectors by then"
    differ = ("document_id", "timings", "chunks_reused")
    assert {k: v for k, v in ours.items() if k not in differ} == {k: v for k, v in theirs.items() if k not in differ}


def test_its_events_stages_and_metrics_are_those_of_every_stage(bench: Bench) -> None:
    task_id = bench.take_in()
    work_off(task_id)
    row = bench.row(task_id)
    assert (row.status, row.progress, row.attempt, names(bench, task_id)) == ("completed", 100, 1, PIPELINE)
    events = bench.sql(
        "SELECT status, stage, progress, created_at FROM events WHERE task_id = :id ORDER BY id", id=task_id
    )
    assert [(event.status, event.stage) for event in events] == [
        ("queued", "preprocessing"), *(("processing", stage) for stage in PIPELINE), ("completed", "indexing")
    ]  # fmt: skip
    assert [event.progress for event in events] == sorted(event.progress for event in events)
    assert [event.created_at for event in events[2:]] == sorted(event.created_at for event in events[2:])
    times = [moment for entry in row.stages for moment in (entry["started_at"], entry["finished_at"])]
    assert times == sorted(times)
    assert [entry["attempts"] for entry in row.stages] == [1] * len(PIPELINE)
    assert all(entry["seconds"] >= 0 and entry["waited"] >= 0 for entry in row.stages)
    units = {entry["name"]: entry["units"] for entry in row.stages}
    assert {units[stage] for stage in ("chunking", "embedding", "storing")} == {row.result["chunks"]}
    stages_counted = bench.sql(
        "SELECT labels, sum(count)::integer FROM tallies"
        " WHERE metric LIKE '%success%' AND labels = ANY(:stages) GROUP BY 1",
        stages=PIPELINE,
    )
    assert sorted(stages_counted) == sorted((stage, 1) for stage in PIPELINE)


def test_what_is_said_of_it_is_kept_and_it_is_found_at_once(bench: Bench) -> None:
    payload = {"content": TEXT, "document_id": "d", "content_type": "text/markdown"}
    (task_id,) = bench.submit(
        task_type="document_processing", kb_id="kb", payload=payload, metadata={"author": "Li Bai"}
    )
    work_off(task_id)
    assert bench.sql("SELECT metadata FROM documents") == [({"author": "Li Bai"},)]
    with database.transaction(repeatable=True) as session:
        (hit, *_) = search(session, {"kb": ask("Sentence 7 of part 2", LocalEmbedder())}).hits
    assert "Sentence 7 of part 2" in hit.text


@pytest.mark.parametrize("queue", ["chunking", "indexing"])
def test_a_paused_queue_of_a_later_stage_holds_it_there(bench: Bench, took: list[bool], queue: str) -> None:
    bench.sql("INSERT INTO paused_queues (queue) VALUES (:queue)", queue=queue)
    task_id = bench.take_in()
    work_off(task_id)
    row = bench.row(task_id)
    assert (row.status, row.stage, row.worker_id, took) == ("processing", queue, None, [])


def test_a_worker_of_some_queues_leaves_the_other_stages_to_others(bench: Bench, took: list[bool]) -> None:
    task_id = bench.take_in()
    work_off(task_id, *PIPELINE[:2])
    assert (bench.row(task_id).stage, bench.row(task_id).worker_id, took) == (PIPELINE[2], None, [])


def test_an_error_is_that_of_its_stage_and_is_tried_again_there(
    bench: Bench, took: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise TaskError("embedder_unavailable", "it is away")

    monkeypatch.setattr(LocalEmbedder, "embed", refuse)
    task_id = bench.take_in()
    work_off(task_id)
    row = bench.row(task_id)
    assert took == [False]
    assert (row.status, row.stage, row.errors, row.error["stage"]) == ("waiting", "embedding", 1, "embedding")
    assert names(bench, task_id) == PIPELINE[: PIPELINE.index("embedding")]


def test_a_deletion_that_came_meanwhile_decides(bench: Bench, took: list[bool]) -> None:
    task_id = bench.take_in()
    claim = bench.held(task_id, "preprocessing")
    advance = advance_of(claim)
    with database.write() as session:
        deletions.remove(session, "kb", "d")
    with pytest.raises(TaskError, match="changed"):
        bench.within(work.advance, advance)
    assert bench.row(task_id).stage == "preprocessing"
    loop = Loop(stages.perform)
    loop._hand_in_alone(advance)
    work_off(task_id)
    row = bench.row(task_id)
    assert (row.status, row.error["code"], row.error["stage"]) == ("failed", "superseded", "indexing")
    assert bench.sql("SELECT count(*) FROM documents") == [(0,)]


def test_a_task_that_was_cancelled_on_the_way_leaves_nothing(bench: Bench, took: list[bool]) -> None:
    task_id = bench.take_in()
    advance = advance_of(bench.held(task_id, "preprocessing"))
    bench.within(ending.cancel, task_id)
    with pytest.raises(NotHeld):
        bench.within(work.advance, advance)
    assert bench.sql("SELECT count(*) FROM versions") == [(0,)]


def test_a_worker_that_died_on_the_way_leaves_nothing_and_another_does_it_stage_by_stage(
    bench: Bench, took: list[bool]
) -> None:
    task_id = bench.take_in()
    lost = advance_of(bench.held(task_id, "preprocessing"))
    assert bench.sql("SELECT count(*) FROM versions") == [(0,)]
    own = process.process_id()
    bench.within(lambda unit, _: [failing.requeue(unit, own)])
    bench.finish_all(task_id)
    assert bench.row(task_id).status == "completed"
    made = bench.sql("SELECT * FROM chunks ORDER BY index")
    with pytest.raises((NotHeld, IntegrityError)):
        bench.within(work.advance, lost)
    assert bench.sql("SELECT * FROM chunks ORDER BY index") == made
    assert took == [True]


def test_a_document_that_is_large_or_embedded_elsewhere_goes_stage_by_stage(
    bench: Bench, took: list[bool], cohere: CohereServer
) -> None:
    large = bench.take_in("A sentence of some words. " * 4000, "large", embedder="local")
    work_off(large)
    after_large = bench.take_in("Another text altogether.", "large")
    work_off(after_large)
    elsewhere = bench.take_in("This one is embedded by Cohere.", "elsewhere", embedder="cohere")
    work_off(elsewhere)
    assert took == []
    assert [bench.row(task_id).status for task_id in (large, after_large)] == ["completed", "completed"]
    assert bench.row(after_large).result["version"] == 2


def test_a_new_version_replaces_the_old_one_and_is_cut_where_that_was(bench: Bench, took: list[bool]) -> None:
    paragraphs = [f"Paragraph {number} says what {number * 7919 % 1000} is about. " * 4 for number in range(40)]
    (first,) = bench.submit(
        task_type="document_processing",
        kb_id="kb",
        payload={"content": "\n\n".join(paragraphs), "document_id": "d", "chunk_size": 250, "chunk_overlap": 50},
        metadata={"author": "Du Fu"},
    )
    work_off(first)
    paragraphs[20] = f"Written anew: {paragraphs[20]}"
    second = bench.take_in("\n\n".join(paragraphs), "d", chunk_size=250, chunk_overlap=50, content_type=None)
    work_off(second)
    assert took == [True, True]
    result = bench.row(second).result
    assert (result["version"], bench.row(first).result["version"]) == (2, 1)
    assert 1 <= result["chunks"] - result["chunks_reused"] <= 3
    ((document, version, metadata),) = bench.sql("SELECT document_id, version_id, metadata FROM documents")
    assert (document, version, metadata) == ("d", second, {"author": "Du Fu"})
    unchanged = bench.take_in("\n\n".join(paragraphs), "d", chunk_size=250, chunk_overlap=50, content_type=None)
    work_off(unchanged)
    assert bench.row(unchanged).result["unchanged"]
    assert took == [True, True]


def test_an_earlier_submission_that_comes_late_replaces_nothing(bench: Bench, took: list[bool]) -> None:
    early = bench.take_in("This was submitted first.")
    late = bench.take_in("This was submitted later.")
    bench.sql("UPDATE tasks SET subject = NULL WHERE id = :id", id=early)
    bench.sql("UPDATE tasks SET due_at = now() + interval '1 hour', status = 'waiting' WHERE id = :id", id=early)
    work_off(late)
    bench.sql("UPDATE tasks SET due_at = now(), status = 'queued' WHERE id = :id", id=early)
    work_off(early)
    assert took == [True]
    assert bench.row(early).error["code"] == "superseded"
    assert bench.sql("SELECT version_id FROM documents") == [(late,)]


def test_a_split_that_hangs_or_fails_is_left_to_its_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)  # which a child sets for its own
    path = tmp_path / "a.txt"
    path.write_text("A sentence. " * 2000)

    def read(measured_in: str, seconds: float) -> Reading:
        splitting = Splitting(100, 0, measured_in, None, 10**9, seconds)
        return child.read(str(path), "a.txt", None, None, None, splitting)

    assert read("characters", 60).pieces
    assert read(str(tmp_path / "no tokenizer"), 60).pieces is None
    with pytest.raises(TimeoutError), child._alarm(0.01):
        while True:
            pass


def test_a_full_disk_is_nobodys_error(bench: Bench) -> None:
    bench.sql(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$"
    )
    bench.sql("CREATE TRIGGER full_disk BEFORE INSERT ON drafts FOR EACH ROW EXECUTE FUNCTION full_disk()")
    task_id = bench.take_in("A sentence of some words. " * 4000)
    bench.finish(task_id, "preprocessing")
    with pytest.raises(OperationalError) as caught:
        bench.perform(bench.held(task_id, "chunking"))
    assert is_away(caught.value)


def test_rows_are_locked_before_kbs_in_one_commit(bench: Bench) -> None:
    """A document that ends and a deletion in one KB: else another thread's single pass and they wait in a circle."""
    document = bench.take_in(document_id="kept")
    bench.finish_all(document, until="indexing")
    (deletion,) = bench.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "gone"})
    order: list[str] = []
    advances = [
        stages.FUNCTIONS[claim.stage](stages.Work(claim))
        for claim in (bench.held(document, "indexing"), bench.held(deletion, "document_deletion"))
    ]

    def noting(advance: Advance) -> Any:
        def within(unit: Any) -> dict[str, Any]:
            order.append("KB")
            assert advance.within is not None
            return advance.within(unit)

        return within

    def overtake(*arguments: Any, **more: Any) -> Any:
        order.append("rows")
        return original(*arguments, **more)

    original: Any = ending.overtake
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ending, "overtake", overtake)
        with pytest.raises(TaskError, match="no document"):
            bench.within(work.advance, *(replace(advance, within=noting(advance)) for advance in advances))
    assert order == ["rows", "KB", "KB"]
