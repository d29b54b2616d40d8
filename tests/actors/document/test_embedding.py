"""Stage 3: each draft gets a vector, nothing is paid for twice, and one bad chunk harms no other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

from documents.embedding.local import LocalEmbedder
from documents.searching import search
from documents.storing import vectors
from errors import TaskError
from models import database
from settings import settings
from tests.actors.conftest import Bench
from tests.cohere_server import CohereServer, Failure


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that was given to the local embedder."""
    texts: list[str] = []
    original: Any = LocalEmbedder.embed

    def embed(self: LocalEmbedder, batch: Sequence[str], kind: Any) -> Any:
        texts.extend(batch)
        return original(self, batch, kind)

    monkeypatch.setattr(LocalEmbedder, "embed", embed)
    return texts


def test_every_draft_gets_its_vector(bench: Bench, embedded: list[str]) -> None:
    bench.finish_all(bench.take_in(chunk_size=300, chunk_overlap=50), until="storing")
    ((drafts, vectors),) = bench.sql("SELECT (SELECT count(*) FROM drafts), (SELECT count(*) FROM draft_vectors)")
    assert drafts == vectors == len(embedded) > 9


def test_a_resumed_stage_embeds_only_what_is_missing(bench: Bench, embedded: list[str]) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50)
    bench.finish_all(task_id, until="embedding")
    claim = bench.held(task_id, "embedding")
    bench.die_after(claim)
    whole = len(embedded)
    bench.sql("DELETE FROM draft_vectors WHERE index < 3")
    bench.perform(claim)
    assert len(embedded) == whole + 3
    assert bench.sql("SELECT count(*) FROM draft_vectors") == [(whole,)]


def test_what_another_attempt_embeds_meanwhile_is_not_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    original: Any = LocalEmbedder.embed

    def embed(self: LocalEmbedder, batch: Sequence[str], kind: Any) -> Any:
        batches.append(len(batch))
        bench.sql(
            "INSERT INTO draft_vectors SELECT version_id, index, array_fill(0.1, ARRAY[1024])::real[]::halfvec"
            " FROM drafts WHERE index >= 4 ON CONFLICT DO NOTHING"
        )
        return original(self, batch, kind)

    monkeypatch.setattr(LocalEmbedder, "embed", embed)
    monkeypatch.setattr(LocalEmbedder, "batch_size", 4)
    bench.finish_all(bench.take_in(chunk_size=300, chunk_overlap=50), until="storing")
    assert batches == [4]
    ((drafts, vectors),) = bench.sql("SELECT (SELECT count(*) FROM drafts), (SELECT count(*) FROM draft_vectors)")
    assert drafts == vectors > 9


def numbered(count: int) -> list[str]:
    """Paragraphs of a chunk each."""
    return [f"Paragraph {number} says what {number * 7919 % 1000} is about. " * 4 for number in range(count)]


def take_in(bench: Bench, paragraphs: list[str], document_id: str = "d", **payload: Any) -> dict[str, Any]:
    """Take in a document of paragraphs to its end; its result."""
    task_id = bench.take_in("\n\n".join(paragraphs), document_id, chunk_size=250, chunk_overlap=50, **payload)
    bench.finish_all(task_id)
    result: dict[str, Any] = bench.row(task_id).result
    return result


def test_an_edited_paragraph_of_500_is_all_that_is_embedded(bench: Bench, cohere: CohereServer) -> None:
    paragraphs = numbered(500)
    first = take_in(bench, paragraphs)
    assert len(cohere.texts) == first["chunks"] >= 500
    assert first["chunks_reused"] == 0
    paid = first["tokens_embedded"]
    for place in (0, 250, 499):
        before = len(cohere.texts)
        paragraphs[place] = f"Written anew: {paragraphs[place]}"
        result = take_in(bench, paragraphs)
        assert 1 <= len(cohere.texts) - before <= 3
        assert result["chunks_reused"] == result["chunks"] - (len(cohere.texts) - before)
        assert 0 < result["tokens_embedded"] < paid / 50


def test_reused_vectors_are_those_that_embedding_would_give(bench: Bench, cohere: CohereServer) -> None:
    take_in(bench, numbered(20), "once")
    take_in(bench, numbered(20), "twice")
    ((pairs, distinct),) = bench.sql("SELECT count(*), count(DISTINCT (hash, embedding::text)) FROM chunks")
    assert pairs == 2 * distinct


def test_a_text_is_paid_for_once_in_a_kb_and_again_in_another(bench: Bench, cohere: CohereServer) -> None:
    once = take_in(bench, numbered(20), "once")
    twice = take_in(bench, numbered(20), "twice")
    assert (twice["chunks_reused"], twice["tokens_embedded"]) == (once["chunks"], 0)
    payload = {"content": "\n\n".join(numbered(20)), "chunk_size": 250, "chunk_overlap": 50}
    (other,) = bench.submit(task_type="document_processing", kb_id="another", payload=payload)
    bench.finish_all(other)
    assert bench.row(other).result["chunks_reused"] == 0


def test_vectors_of_another_embedder_are_not_taken_over(bench: Bench, cohere: CohereServer) -> None:
    take_in(bench, numbered(20), embedder="local")
    assert take_in(bench, numbered(20), embedder="cohere")["chunks_reused"] == 0
    assert len(cohere.texts) == 20


def test_a_document_joins_its_kb_with_the_embedder_of_the_kb(bench: Bench, cohere: CohereServer) -> None:
    take_in(bench, numbered(3), "first", embedder="local")
    take_in(bench, numbered(4), "second")
    assert bench.sql("SELECT DISTINCT embedder FROM documents") == [("local:hashed-ngrams:1024",)]
    assert cohere.texts == []


def test_an_attempt_with_another_embedder_leaves_no_vector_behind(bench: Bench, cohere: CohereServer) -> None:
    """EMBEDDER is changed between two attempts at a stage, and both embedders' vectors are equally long."""
    cohere.fail(Failure(), Failure(status=401), Failure(status=401))
    task_id = bench.take_in("\n\n".join(numbered(200)), chunk_size=250, chunk_overlap=50)
    bench.finish_all(task_id, until="embedding")
    claim = bench.held(task_id, "embedding")
    with pytest.raises(TaskError, match="401"):
        bench.perform(claim)
    assert bench.sql("SELECT count(*) FROM draft_vectors") == [(96,)]
    os.environ["EMBEDDER"] = "local"
    settings.cache_clear()
    assert bench.perform(claim)
    bench.finish(task_id, "storing")
    bench.finish(task_id, "indexing")
    assert bench.sql("SELECT embedder, count(DISTINCT embedding::text) FROM chunks GROUP BY 1") == [
        ("local:hashed-ngrams:1024", 200)
    ]


@pytest.mark.parametrize("failure", [Failure(status=400), Failure(status=500), Failure(replaced=float("nan"))])
def test_a_chunk_that_no_try_embeds_is_named_and_found_by_its_words(
    bench: Bench, cohere: CohereServer, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    monkeypatch.setenv("MAX_RETRY_ATTEMPTS", "0")
    settings.cache_clear()
    paragraphs = numbered(120)
    paragraphs[57] = "Zyzzyva is a word that this provider stumbles over. " * 4
    cohere.poison["Zyzzyva"] = failure
    result = take_in(bench, paragraphs)
    assert result["chunks"] == 120
    (warning,) = result["warnings"]
    assert warning.startswith("chunk 57 has no vector and is found by its words only: ")
    with database.transaction(repeatable=True) as session:
        hits = search.search(session, {"kb": search.ask("zyzzyva", None)}, mode="text").hits
    assert [hit.chunk_id.rpartition(":")[2] for hit in hits] == ["57"]
    # It is not taken for embedded: the next edition tries again.
    cohere.poison.clear()
    asked = len(cohere.texts)
    again = take_in(bench, [*paragraphs, "One paragraph more. " * 12])
    assert again["warnings"] == []
    assert again["chunks_reused"] > 110
    assert any("Zyzzyva" in text for text in cohere.texts[asked:])


def test_a_chunk_that_a_later_try_may_embed_is_tried_again(bench: Bench, cohere: CohereServer) -> None:
    cohere.poison["Zyzzyva"] = Failure(status=503)
    paragraphs = [*numbered(120), "Zyzzyva is a word that this provider stumbles over. " * 4]
    task_id = bench.take_in("\n\n".join(paragraphs), chunk_size=250, chunk_overlap=50)
    bench.finish_all(task_id, until="embedding")
    claim = bench.held(task_id, "embedding")
    with pytest.raises(TaskError, match="chunk 120: Cohere answered 503"):
        bench.perform(claim)
    paid = len(cohere.texts)
    cohere.poison.clear()
    assert bench.perform(claim)
    assert len(cohere.texts) == paid + 1, "the neighbours of the chunk were kept"


def test_a_document_of_which_nothing_is_taken_fails(bench: Bench, cohere: CohereServer) -> None:
    cohere.poison["Paragraph"] = Failure(status=400)
    task_id = bench.take_in("\n\n".join(numbered(5)), chunk_size=250, chunk_overlap=50)
    bench.finish_all(task_id, until="embedding")
    with pytest.raises(TaskError, match="refused every chunk"):
        bench.perform(bench.held(task_id, "embedding"))


def test_of_many_refused_chunks_some_are_named(bench: Bench, cohere: CohereServer) -> None:
    cohere.poison["Paragraph"] = Failure(status=400)
    result = take_in(bench, [*numbered(24), "This one is taken. " * 12])
    assert len(result["warnings"]) == vectors.NAMED + 1
    assert "more chunks than these 20" in result["warnings"][-1]


def test_a_chunk_that_two_attempts_are_refused_counts_once(bench: Bench, embedded: list[str]) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50)
    bench.finish_all(task_id, until="embedding")
    for _ in range(2):
        with database.transaction() as session:
            vectors.begin(session, task_id, "local:1024")
            vectors.refuse(session, task_id, 3, 1024, "too long")
    ((refused, warnings),) = bench.sql("SELECT chunks_refused, warnings FROM versions")
    assert refused == len([warning for warning in warnings if "too long" in warning]) == 1
