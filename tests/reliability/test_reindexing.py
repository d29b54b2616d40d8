"""A KB is given another embedder in a running deployment: every search is answered, and no worker's death loses it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cohere_server import CohereServer, Failure
from tests.reliability.conftest import House
from tests.servers import eventually

DOCUMENTS = 4


def text_of(name: str) -> str:
    return "\n\n".join(f"Paragraph {number} of the document {name} is here. " * 3 for number in range(30))


def submit(house: House, name: str, **payload: object) -> str:
    payload = {"content": text_of(name), "document_id": name, "chunk_size": 200, "chunk_overlap": 0, **payload}
    return house.submit(task_type="document_processing", kb_id="kb", payload=payload)


@contextmanager
def searched(house: House) -> Iterator[list[str]]:
    """Search in every mode all the time; what was wrong with an answer."""
    wrong: list[str] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for mode in ("hybrid", "vector", "text"):
                body = {"query": "paragraph of the document", "mode": mode, "limit": 50}
                answer = house.deployment.http.post("/api/v1/kbs/kb/search", json=body)
                if answer.status_code != 200 or not answer.json()["hits"]:
                    wrong.append(f"{mode}: {answer.text}")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield wrong
    finally:
        done.set()
        thread.join()


def test_every_search_is_answered_while_a_kb_changes_its_embedder(house: House, cohere: CohereServer) -> None:
    house.open("web", "clock")
    worker = house.deployment.start("worker", restart=True)
    for task_id in [submit(house, f"d{number}", embedder="local") for number in range(DOCUMENTS)]:
        assert house.ended(task_id)["status"] == "completed"
    with searched(house) as wrong:
        # The second document's vectors are paid for when its worker is killed.
        cohere.poison["document d1 "] = Failure(delay=5)
        task_id = house.submit(task_type="kb_reindex", kb_id="kb", payload={"embedder": "cohere"})
        eventually(
            lambda: any("document d1 " in text for text in cohere.texts), seconds=30, reason="the second document"
        )
        worker.kill()
        cohere.poison.clear()
        # One that comes in while it runs.
        later = submit(house, "later")
        shown = house.ended(task_id)
        assert shown["status"] == "completed", shown
        assert house.ended(later)["status"] == "completed"
    assert wrong == []
    assert house.sql("SELECT DISTINCT embedder FROM documents") == [("cohere:embed-v4.0:1024",)]
    # Neither queries, which are embedded again and again, nor what a web process asks to learn the model's scale.
    paid = [
        text
        for request in cohere.requests
        if request.body["input_type"] == "search_document"
        for text in request.body["texts"]
        if text.startswith("Paragraph ")
    ]
    chunks = shown["result"]["chunks"] // shown["result"]["documents"]
    assert len(set(paid)) == (DOCUMENTS + 1) * chunks
    assert len(paid) - len(set(paid)) <= chunks, "of what the killed worker had asked for, one request is paid again"
    answer = house.deployment.http.post("/api/v1/kbs/kb/search", json={"query": "document later", "limit": 50}).json()
    assert "later" in {hit["document_id"] for hit in answer["hits"]}
