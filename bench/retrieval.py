"""How well a question finds the passage that answers it, over REST: recall@10, MRR@10, and what the chunks cover of it.

    python -m bench.retrieval --data ../shared/data

Documents are submitted to a service in embedded mode as any client would, and every question is a POST to
`/kbs/{kb_id}/search`. English: Chroma's chunking evaluation (472 questions, one KB of five texts). Chinese: CMRC 2018's
development set (3,219 questions, one KB of 848 texts). A chunk counts as found when it shares a character with a span
that answers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from bench.question_sets import Question, QuestionSet, Span, chinese, english, overlap, precision_omega
from demo.service import EmbeddedService

LIMIT = 10
MODES = ("text", "hybrid", "vector")
#: Searches at a time.
AT_ONCE = 2
#: Documents of one batch.
BATCH = 500

#: Chunks that Chroma retrieves for each question, and characters and overlap of ours that are compared.
RETRIEVED = 5
SIZES = ((1000, 200), (800, 0), (400, 0))

#: Recall, precision, precision Ω and IoU as published, in percent: 5 chunks by text-embedding-3-large. Size in tokens.
#: Source: research.trychroma.com/evaluating-chunking, first table.
PUBLISHED = (
    ("TokenText 800, overlap 400", 87.9, 1.4, 4.7, 1.4),
    ("Recursive 400 (~312), overlap 200", 88.1, 3.3, 13.9, 3.3),
    ("Recursive 400 (~276)", 89.5, 3.6, 17.7, 3.6),
    ("Recursive 200 (~137)", 88.1, 7.0, 29.9, 6.9),
    ("ClusterSemantic 400 (~182)", 91.3, 4.5, 20.7, 4.5),
    ("ClusterSemantic 200 (~103)", 87.3, 8.0, 34.0, 8.0),
    ("LLMSemantic, GPT-4o (~240)", 91.9, 3.9, 19.9, 3.9),
)


class Client:
    """What a KB service does: submits documents, and asks."""

    def __init__(self, url: str, embedder: str) -> None:
        self._http = httpx2.Client(base_url=f"{url}/api/v1", timeout=120)
        self._embedder = embedder

    def take_in(self, kb_id: str, documents: QuestionSet, size: int, overlap: int) -> None:
        """Submit every document, and wait until all are searchable.

        Raises:
          AssertionError: when one is not taken in, or its text is not what was submitted: the spans would be wrong.
        """
        waiting = list(documents.documents.items())
        while waiting:
            part, waiting = waiting[:BATCH], waiting[BATCH:]
            tasks = [
                {
                    "task_type": "document_processing",
                    "kb_id": kb_id,
                    "payload": {
                        "content": content,
                        "document_id": document_id,
                        "filename": document_id + documents.suffix,
                        "chunk_size": size,
                        "chunk_overlap": overlap,
                        "embedder": self._embedder,
                    },
                }
                for document_id, content in part
            ]
            batch_id = self._post("/tasks/batch", {"tasks": tasks})["batch_id"]
            while (batch := self._http.get(f"/batches/{batch_id}").json())["counts"].get("completed", 0) < len(tasks):
                assert not batch["counts"].get("failed"), batch
                time.sleep(0.2)
        for document_id, content in documents.documents.items():
            shown = self._http.get(f"/kbs/{kb_id}/documents/{document_id}/text").content.decode()
            assert shown == content, f"the text of {document_id} is not what was submitted"

    def chunks(self, kb_id: str, document_ids: Sequence[str]) -> Iterator[tuple[str, Span]]:
        """Every chunk of some documents."""
        for document_id in document_ids:
            parameters = {"limit": "500"}
            while parameters:
                page = self._http.get(f"/kbs/{kb_id}/documents/{document_id}/chunks", params=parameters).json()
                for chunk in page["items"]:
                    yield document_id, (chunk["start"], chunk["end"])
                parameters = {"limit": "500", "cursor": page["next_cursor"]} if page["next_cursor"] else {}

    def ask(self, kb_id: str, questions: Sequence[Question], mode: str) -> tuple[list[list[dict[str, Any]]], float]:
        """Return the hits of each question, and the median milliseconds that a search took by its own account."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda question: self.search(kb_id, question.text, mode), questions))
        return [answer["hits"] for answer in answers], statistics.median(answer["took_ms"] for answer in answers)

    def search(self, kb_id: str, query: str, mode: str, filter: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of one search."""
        asked = {"query": query, "limit": LIMIT, "mode": mode, "filter": filter or {}}
        return self._post(f"/kbs/{kb_id}/search", asked)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(path, json=body)
        assert answer.is_success, answer.text
        content: dict[str, Any] = answer.json()
        return content


def ranking(client: Client, question_set: QuestionSet, halves: bool) -> None:
    """Print recall@10 and MRR@10 of a KB that holds the set."""
    for mode in MODES:
        hits, milliseconds = client.ask(question_set.name, question_set.questions, mode)
        ranks = [
            _rank(question_hits, question) for question_hits, question in zip(hits, question_set.questions, strict=True)
        ]
        for name, part in _parts(question_set.name, ranks, halves):
            recall = sum(rank is not None for rank in part) / len(part)
            reciprocal = sum(1 / rank for rank in part if rank) / len(part)
            print(f"{name:16} {len(part):9} {mode:7} {recall:9.4f} {reciprocal:7.4f} {milliseconds:6.1f}", flush=True)


def _parts(name: str, ranks: list[int | None], halves: bool) -> list[tuple[str, list[int | None]]]:
    """All, or the half that constants were chosen on (even numbers) and the other."""
    return [(f"{name}, tuned", ranks[::2]), (f"{name}, unseen", ranks[1::2])] if halves else [(name, ranks)]


def _rank(hits: list[dict[str, Any]], question: Question) -> int | None:
    """Return the place of the first hit that shares a character with a span that answers; None when none does."""
    for rank, hit in enumerate(hits, 1):
        if hit["document_id"] == question.document_id and any(
            start < hit["end"] and hit["start"] < end for start, end in question.spans
        ):
            return rank
    return None


def coverage(client: Client, kb_id: str, question_set: QuestionSet, label: str) -> None:
    """Print Chroma's measures of a KB that holds the set, in percent."""
    chunks = list(client.chunks(kb_id, list(question_set.documents)))
    omega = statistics.mean(precision_omega(chunks, question) for question in question_set.questions)
    average = statistics.mean(end - start for _, (start, end) in chunks)
    for mode in ("text", "hybrid"):
        hits, _ = client.ask(kb_id, question_set.questions, mode)
        scores = [
            overlap([(hit["document_id"], (hit["start"], hit["end"])) for hit in question_hits[:RETRIEVED]], question)
            for question_hits, question in zip(hits, question_set.questions, strict=True)
        ]
        shares = [statistics.mean(getattr(score, name) for score in scores) for name in ("recall", "precision", "iou")]
        _row(f"{label} (~{average:.0f}), {mode}", *(100 * share for share in (shares[0], shares[1], omega, shares[2])))


def _row(name: str, *percent: float) -> None:
    print(f"{name:42} {percent[0]:7.1f} {percent[1]:9.1f} {percent[2]:11.1f} {percent[3]:5.1f}", flush=True)


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds retrieval/")
    parser.add_argument("--embedder", default="local")
    parser.add_argument("--halves", action="store_true", help="tell apart the questions that constants were chosen on")
    arguments = parser.parse_args()
    folder = arguments.data / "retrieval"
    with EmbeddedService() as service:
        client = Client(service.url, arguments.embedder)
        print(f"embedder {arguments.embedder}; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
        print(f"{'set':16} {'questions':>9} {'mode':7} {'recall@10':>9} {'MRR@10':>7} {'ms':>6}")
        for question_set in (english(folder), chinese(folder)):
            client.take_in(question_set.name, question_set, *SIZES[0])
            ranking(client, question_set, arguments.halves)
        title = f"chunks of the English set, {RETRIEVED} retrieved"
        print(f"\n{title:42} {'recall':>7} {'precision':>9} {'precision Ω':>11} {'IoU':>5}")
        question_set = english(folder)
        for size, shared in SIZES:
            kb_id = question_set.name if (size, shared) == SIZES[0] else f"{question_set.name}-{size}-{shared}"
            if kb_id != question_set.name:
                client.take_in(kb_id, question_set, size, shared)
            coverage(client, kb_id, question_set, f"ours, {size} characters, overlap {shared}")
        for name, *percent in PUBLISHED:
            _row(f"published: {name}", *percent)


if __name__ == "__main__":
    main()
