"""The question sets of the retrieval benchmark, read from files that are not part of the repository."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ENGLISH = ("chatlogs", "finance", "pubmed", "state_of_the_union", "wikitexts")

#: Offsets of characters, the end exclusive.
Span = tuple[int, int]


@dataclass(frozen=True)
class Question:
    """A question, the document that answers it, and where."""

    text: str
    document_id: str
    spans: list[Span]


@dataclass
class QuestionSet:
    """Documents by their ids, and questions on them; `suffix` ends a document's file name."""

    name: str
    suffix: str
    documents: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)


def english(folder: Path) -> QuestionSet:
    """Chroma's chunking evaluation: 472 questions on five texts."""
    question_set = QuestionSet("english", ".md")
    for name in ENGLISH:
        # newline="": the spans count characters of the file as it is.
        with (folder / f"{name}.md").open(encoding="utf-8", newline="") as file:
            question_set.documents[name] = file.read()
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            spans = [(span["start_index"], span["end_index"]) for span in json.loads(row["references"])]
            question_set.questions.append(Question(row["question"], row["corpus_id"], spans))
    return question_set


def chinese(folder: Path) -> QuestionSet:
    """CMRC 2018, development set: 3,219 questions on 848 texts."""
    return squad(folder / "cmrc2018_dev.json", "cmrc2018")


def squad(path: Path, name: str | None = None) -> QuestionSet:
    """Read a file of the form of SQuAD: XQuAD, DRCD, CMRC 2018."""
    question_set = QuestionSet(name or path.stem, ".txt")
    with path.open(encoding="utf-8") as file:
        paragraphs = [paragraph for entry in json.load(file)["data"] for paragraph in entry["paragraphs"]]
    for number, paragraph in enumerate(paragraphs):
        document_id = str(paragraph.get("id", number))
        question_set.documents[document_id] = paragraph["context"]
        for question in paragraph["qas"]:
            spans = [
                (answer["answer_start"], answer["answer_start"] + len(answer["text"])) for answer in question["answers"]
            ]
            question_set.questions.append(Question(question["question"], document_id, spans))
    return question_set


@dataclass(frozen=True)
class Overlap:
    """How well retrieved chunks cover the spans that answer: the measures of Chroma's chunking evaluation.

    All are shares from 0 to 1. Chroma speaks of tokens, and counts characters (`base_evaluation.py`): so does this.
    A character that several chunks hold is found once, but retrieved as often.

    recall: of the answer's characters, those that were retrieved; precision: of the retrieved characters, those of the
    answer; iou: the answer's characters that were retrieved, of all that were retrieved or should have been.
    """

    recall: float
    precision: float
    iou: float


def overlap(chunks: Iterable[tuple[str, Span]], question: Question) -> Overlap:
    """Compare retrieved chunks, each with its document, with a question's spans."""
    chunks = list(chunks)
    retrieved = sum(end - start for _, (start, end) in chunks)
    own = [span for document_id, span in chunks if document_id == question.document_id]
    length = _length(_shared(own, question.spans))
    wanted = sum(end - start for start, end in question.spans)
    missed = _length(question.spans) - length
    return Overlap(length / wanted, length / retrieved if retrieved else 0.0, length / (retrieved + missed))


def precision_omega(chunks: Iterable[tuple[str, Span]], question: Question) -> float:
    """Return the precision of a retrieval that finds just the chunks that hold a part of the answer: the chunker's
    share.
    """
    own = [span for document_id, span in chunks if document_id == question.document_id]
    holding = [span for span in own if _shared([span], question.spans)]
    return _length(_shared(holding, question.spans)) / _length([*holding, *question.spans])


def _shared(ones: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    others = list(others)
    return [
        (max(start, other_start), min(end, other_end))
        for start, end in ones
        for other_start, other_end in others
        # A chunk that ends where the answer begins counts as one that holds a part of it: theirs do.
        if start <= other_end and other_start <= end
    ]


def _length(spans: Iterable[Span]) -> int:
    """Characters that lie in at least one of the spans."""
    total = reached = 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
