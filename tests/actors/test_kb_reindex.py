"""A KB is given another embedder while the old vectors serve, and every document ends up in the new ones."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from documents.embedding import embedder
from documents.searching import search
from documents.storing import dead_versions, deletions, kbs
from errors import TaskError
from models import database
from settings import settings
from tasks.ending import ending
from tasks.working import work
from tasks.working.claim import Claim
from tests.actors.conftest import PIPELINE, Bench
from tests.cohere_server import CohereServer, Failure
from worker import stage as stages
from worker.holding import HandBack

LOCAL, COHERE = "local:hashed-ngrams:1024", "cohere:embed-v4.0:1024"


def text_of(name: str, paragraphs: int = 12) -> str:
    return "\n\n".join(f"Paragraph {number} of the document {name} is here. " * 5 for number in range(paragraphs))


def take_in(bench: Bench, name: str, content: str | None = None, **payload: Any) -> UUID:
    return bench.take_in(content or text_of(name), name, **{"chunk_size": 300, "chunk_overlap": 0, **payload})


@pytest.fixture
def kb(bench: Bench, cohere: CohereServer) -> list[UUID]:
    """Three documents with local vectors, of 12 chunks each; the tasks that made them."""
    made = [take_in(bench, name, embedder="local") for name in ("a", "b", "c")]
    for task_id in made:
        bench.finish_all(task_id)
    assert cohere.texts == []
    return made


def reindex(bench: Bench, **payload: Any) -> Claim:
    """A reindexing to Cohere that is about to begin."""
    payload = {"embedder": "cohere", **payload}
    (task_id,) = bench.submit(task_type="kb_reindex", kb_id="kb", payload=payload)
    return bench.held(task_id, "kb_reindex")


def embedders(bench: Bench) -> list[str]:
    rows = bench.sql("SELECT DISTINCT d.embedder, c.embedder FROM documents d JOIN chunks c USING (version_id)")
    assert all(first == second for first, second in rows)
    return sorted(first for first, _ in rows)


def find(question: str) -> set[str]:
    """The documents that a search by vectors finds, with the embedder that the KB has now."""
    with database.transaction() as session:
        built_with = kbs.embedder_of(session, "kb")
    asked = search.ask(question, embedder(built_with or "", settings()))
    with database.transaction(repeatable=True) as session:
        return {hit.document_id for hit in search.search(session, {"kb": asked}, mode="vector", limit=100).hits}


def shown(bench: Bench) -> list[tuple[Any, ...]]:
    """Everything of a document that its readers see, but for the ids of its chunks."""
    return bench.sql(
        """
        SELECT d.document_id, v.number, v.text, d.chunks, d.tokens,
            array_agg((c.index, c.start_offset, c.end_offset, c.text, c.heading_path)::text ORDER BY c.index)
        FROM documents d JOIN versions v ON v.id = d.version_id JOIN chunks c ON c.version_id = v.id
        GROUP BY 1, 2, 3, 4, 5 ORDER BY 1
        """
    )


def test_every_document_is_as_it_was_but_for_its_vectors(bench: Bench, kb: list[UUID], cohere: CohereServer) -> None:
    before = shown(bench)
    claim = reindex(bench)
    assert bench.perform(claim)
    assert shown(bench) == before
    assert embedders(bench) == [COHERE]
    assert len(cohere.texts) == 36
    row = bench.row(claim.task_id)
    assert (row.status, row.progress) == ("completed", 100)
    assert row.result == {
        "embedder": COHERE,
        "documents": 3,
        "chunks": 36,
        "chunks_reused": 0,
        "chunks_refused": 0,
        "tokens_embedded": sum(len(text.split()) for text in cohere.texts),
        "estimated_cost": pytest.approx(row.result["tokens_embedded"] * 0.12 / 1e6),
    }
    assert find("document b") == {"a", "b", "c"}
    # What comes later joins it, and what is unchanged is recognised.
    later, again = take_in(bench, "later"), take_in(bench, "a")
    bench.finish_all(later)
    bench.finish(again, "preprocessing")
    assert bench.row(again).result["unchanged"]
    assert embedders(bench) == [COHERE]
    assert bench.sql("SELECT count(*) FROM drafts UNION ALL SELECT count(*) FROM draft_vectors") == [(0,), (0,)]


def billed(bench: Bench) -> int:
    """Tokens that the KB's embedder has billed for the documents that it shows."""
    ((tokens,),) = bench.sql("SELECT sum(tokens_embedded) FROM documents")
    return int(tokens)


def test_a_kb_knows_what_its_present_embedder_has_billed(bench: Bench, kb: list[UUID], cohere: CohereServer) -> None:
    assert billed(bench) == 0
    claim = reindex(bench)
    assert bench.perform(claim)
    assert billed(bench) == bench.row(claim.task_id).result["tokens_embedded"] > 0
    before = billed(bench)
    # A new version of a document adds what is new of it.
    changed = take_in(bench, "a", text_of("a") + "\n\nA paragraph that nobody has seen.")
    bench.finish_all(changed)
    assert bench.row(changed).result["chunks_reused"] > 0
    assert billed(bench) == before + bench.row(changed).result["tokens_embedded"] > before


def test_the_old_vectors_serve_until_all_new_ones_are_there_and_a_retry_pays_for_the_rest(
    bench: Bench, kb: list[UUID], cohere: CohereServer
) -> None:
    claim = reindex(bench)
    cohere.fail(Failure(), Failure(), *[Failure(status=401)] * 2)
    with pytest.raises(TaskError, match="401"):
        bench.perform(claim)
    assert embedders(bench) == [LOCAL]
    assert find("document b") == {"a", "b", "c"}
    assert len(cohere.texts) == 2 * 12 + 12 + 1, "two documents, the third, and a text that no provider refuses"
    assert bench.perform(claim)
    assert embedders(bench) == [COHERE]
    assert len(cohere.texts) == 2 * 12 + 12 + 1 + 12


def test_a_worker_that_dies_before_the_swap_leaves_the_old_index_and_its_vectors_to_the_next(
    bench: Bench, kb: list[UUID], cohere: CohereServer
) -> None:
    claim = reindex(bench)
    bench.die_after(claim)
    assert embedders(bench) == [LOCAL]
    assert bench.perform(claim)
    assert embedders(bench) == [COHERE]
    assert len(cohere.texts) == 36


def test_a_document_that_comes_in_meanwhile_is_waited_for(bench: Bench, kb: list[UUID]) -> None:
    claim = reindex(bench)
    ready = stages.FUNCTIONS["kb_reindex"](stages.Work(claim))
    for name, content in (("new", None), ("b", "The document b says something else now.")):
        bench.finish_all(take_in(bench, name, content))
    with pytest.raises(HandBack):
        bench.within(work.advance, ready)
    assert embedders(bench) == [LOCAL]
    assert bench.perform(claim)
    assert embedders(bench) == [COHERE]
    assert find("document") == {"a", "b", "c", "new"}
    ((text,),) = bench.sql(
        "SELECT v.text FROM documents d JOIN versions v ON v.id = version_id WHERE d.document_id='b'"
    )
    assert text == "The document b says something else now."


@pytest.mark.parametrize("reached", ["embedding", "storing", "indexing"])
def test_a_document_that_is_on_its_way_gets_the_vectors_of_the_day(
    bench: Bench, kb: list[UUID], cohere: CohereServer, reached: str
) -> None:
    """It was submitted before the reindexing and embedded before the swap; it is shown after it."""
    other, new = take_in(bench, "b", text_of("b, second edition")), take_in(bench, "new")
    for task_id in (other, new):
        bench.finish_all(task_id, until=reached)
    assert bench.perform(reindex(bench))
    paid = len(cohere.texts)
    for task_id in (other, new):
        for stage in PIPELINE[PIPELINE.index(reached) :]:
            bench.finish(task_id, stage)
        assert bench.row(task_id).result["warnings"] == []
    assert len(cohere.texts) - paid == sum(bench.row(task_id).result["chunks"] for task_id in (other, new))
    assert embedders(bench) == [COHERE]
    assert find("document") == {"a", "b", "c", "new"}
    ((version, text),) = bench.sql(
        "SELECT v.number, v.text FROM documents d JOIN versions v ON v.id = d.version_id WHERE d.document_id = 'b'"
    )
    assert version == 2
    assert "b, second edition" in text


def test_a_document_that_wants_the_old_embedder_still_is_refused(bench: Bench, kb: list[UUID]) -> None:
    task_id = take_in(bench, "new", embedder="local")
    bench.finish_all(task_id, until="indexing")
    assert bench.perform(reindex(bench))
    with pytest.raises(TaskError, match="cannot be mixed in"):
        bench.finish(task_id, "indexing")


def test_the_swap_in_the_very_moment_of_an_indexing_is_settled(bench: Bench, kb: list[UUID]) -> None:
    task_id = take_in(bench, "new")
    bench.finish_all(task_id, until="indexing")
    claim = bench.held(task_id, "indexing")
    ready = stages.FUNCTIONS["indexing"](stages.Work(claim))
    assert bench.perform(reindex(bench))
    with pytest.raises(HandBack):
        bench.within(work.advance, ready)
    assert bench.perform(claim)
    assert embedders(bench) == [COHERE]


def test_what_is_taken_out_meanwhile_stays_out(bench: Bench, kb: list[UUID]) -> None:
    claim = reindex(bench)
    ready = stages.FUNCTIONS["kb_reindex"](stages.Work(claim))
    with database.transaction() as session:
        deletions.remove(session, "kb", "b")
    assert bench.within(work.advance, ready) == [True]
    assert find("document") == {"a", "c"}
    assert embedders(bench) == [COHERE]


def test_a_cancelled_reindexing_changes_nothing_and_what_it_made_can_be_swept(bench: Bench, kb: list[UUID]) -> None:
    claim = reindex(bench)
    ready = stages.FUNCTIONS["kb_reindex"](stages.Work(claim))
    bench.within(ending.cancel, claim.task_id)
    assert bench.within(work.advance, ready) == [False]
    assert embedders(bench) == [LOCAL]
    with database.transaction() as session:
        assert dead_versions.makers(session, 10) == [claim.task_id]
        while dead_versions.sweep(session, [claim.task_id]):
            pass
    assert [row[0] for row in bench.sql("SELECT id FROM versions ORDER BY id")] == kb
    assert find("document") == {"a", "b", "c"}


def test_what_it_replaced_can_be_swept_and_what_it_made_not(bench: Bench, kb: list[UUID]) -> None:
    claim = reindex(bench)
    assert bench.perform(claim)
    with database.transaction() as session:
        assert dead_versions.makers(session, 10) == kb
        while dead_versions.sweep(session, [*kb, claim.task_id]):
            pass
    assert bench.sql("SELECT count(*), count(DISTINCT maker) FROM versions") == [(3, 1)]
    assert find("document") == {"a", "b", "c"}


def test_a_second_reindexing_goes_on_from_the_first(bench: Bench, kb: list[UUID], cohere: CohereServer) -> None:
    before = shown(bench)
    assert bench.perform(reindex(bench))
    assert bench.perform(reindex(bench, embedder="local"))
    assert embedders(bench) == [LOCAL]
    assert shown(bench) == before
    assert bench.perform(reindex(bench, embedder="local")), "which finds nothing to do"
    again = take_in(bench, "a", "Quite another text for the document a.")
    bench.finish_all(again)
    assert bench.row(again).result["version"] == 2


def test_a_model_that_changes_between_two_attempts_leaves_no_vector_of_the_first(
    bench: Bench, kb: list[UUID], cohere: CohereServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = reindex(bench)
    bench.die_after(claim)
    monkeypatch.setenv("COHERE_MODEL", "embed-v5.0")
    settings.cache_clear()
    assert bench.perform(claim)
    assert embedders(bench) == ["cohere:embed-v5.0:1024"]
    assert len(cohere.texts) == 72
    assert bench.sql("SELECT count(*) FROM versions WHERE maker IS NOT NULL") == [(3,)]


def test_a_timeout_that_is_near_only_makes_it_wait_for_its_turn(bench: Bench, kb: list[UUID]) -> None:
    claim = reindex(bench)
    claim.timeout = 0.0001
    with pytest.raises(HandBack):
        bench.perform(claim)


def test_an_empty_kb_has_nothing_to_reindex(bench: Bench, cohere: CohereServer) -> None:
    claim = reindex(bench)
    assert bench.perform(claim)
    assert bench.row(claim.task_id).result["documents"] == 0
