"""A document that is deleted stays deleted, whatever its tasks are at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.reliability.conftest import LONG, House

#: What each stage writes.
TABLES = {
    "preprocessing": "versions",
    "chunking": "drafts",
    "embedding": "draft_vectors",
    "storing": "chunks",
    "indexing": "documents",
}


def test_a_deletion_beats_every_stage_of_what_was_submitted_before(house: House) -> None:
    house.open("web", "worker", "clock")
    http = house.deployment.http

    def delete(document_id: str) -> int:
        return http.delete(f"/api/v1/kbs/kb/documents/{document_id}").status_code

    for is_first in (False, True):
        for stage, table in TABLES.items():
            document_id = f"{stage}-{is_first}"
            address = f"/api/v1/kbs/kb/documents/{document_id}"
            if not is_first:
                assert house.ended(house.document(f"the first edition\n\n{LONG}", document_id))["status"] == "completed"
            with ThreadPoolExecutor(1) as pool:
                with house.locked(table):
                    task_id = house.document(f"another edition\n\n{LONG}", document_id)
                    house.at_work(task_id, stage)
                    deletion = pool.submit(delete, document_id)
                    if stage != "indexing":
                        assert deletion.result(20) == 204
                assert deletion.result(20) == 204
            shown = house.ended(task_id)
            if stage == "indexing":
                # Its transaction was under way: either it came first, and what it made is deleted, or it is void.
                assert shown["status"] == "completed" or shown["error"]["code"] == "superseded"
            else:
                assert (shown["status"], shown["error"]["code"]) == ("failed", "superseded")
            assert http.get(address).status_code == 404
            assert delete(document_id) == 404
    hits = http.post("/api/v1/kbs/kb/search", json={"query": "edition"}).json()["hits"]
    assert hits == []
