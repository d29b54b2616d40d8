"""Stage 2: a version's text becomes drafts of chunks."""

from __future__ import annotations

from documents.splitting.measure import TOKENS
from tests.actors.conftest import Bench


def test_a_draft_is_exactly_its_place_in_the_text(bench: Bench) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50)
    bench.finish_all(task_id, until="embedding")
    rows = bench.sql(
        "SELECT d.text, substr(v.text, d.start_offset + 1, d.end_offset - d.start_offset), d.heading_path"
        " FROM drafts d JOIN versions v ON v.id = d.version_id ORDER BY d.index"
    )
    assert len(rows) > 9
    assert all(draft == place and len(draft) <= 300 for draft, place, _ in rows)
    assert {path[-1] for _, _, path in rows} == {"Part 1", "Part 2", "Part 3"}


def test_a_stage_that_is_done_twice_keeps_each_draft_once(bench: Bench) -> None:
    once, twice = bench.take_in(document_id="once"), bench.take_in(document_id="twice")
    bench.finish_all(once, until="embedding")
    bench.finish_all(twice, until="chunking")
    bench.finish_twice(twice, "chunking")
    counts = dict(bench.sql("SELECT version_id, count(*) FROM drafts GROUP BY 1"))
    assert counts[once] == counts[twice] > 0


def test_tokens_are_counted_by_the_embedder(bench: Bench) -> None:
    task_id = bench.take_in(chunk_size=60, chunk_overlap=10, chunk_unit="tokens")
    bench.finish_all(task_id, until="embedding")
    drafts = bench.sql("SELECT text, heading_path FROM drafts ORDER BY index")
    counted = [len(TOKENS.findall(" ".join([*path, draft]))) for draft, path in drafts]
    assert 30 < max(counted) <= 60 + 2  # the marks between headings are not in a path
