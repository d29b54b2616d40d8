"""Stage 3: each draft gets a vector, and a resumed stage embeds only what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from documents.embedding.local import LocalEmbedder
from tests.actors.conftest import Bench


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
