"""What each embedder finds, over REST: recall@10 and MRR@10 of words, vectors and both, on the sets below a folder.

    python -m bench.meaning --data ../shared/data --embedders local e5

And how many questions `confidence` declines at some thresholds, with their answer in the KB and without it.
The sets are those of `bench.retrieval`, every file of the form of SQuAD in DATA/retrieval (`xquad*.json`,
`drcd*.json`), and the paraphrases of the tests. An endpoint is measured as `openai` when EMBEDDING_BASE_URL is set.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.question_sets import Question, QuestionSet, chinese, english, squad
from bench.retrieval import AT_ONCE, SIZES, Client, ranking
from demo.service import EmbeddedService

#: Below which a caller may do without the hits.
THRESHOLDS = (0.1, 0.2, 0.25, 0.3, 0.5)
PARAPHRASES = Path(__file__).resolve().parent.parent / "tests" / "documents" / "searching" / "paraphrases.json"


def paraphrases(language: str) -> QuestionSet:
    """Questions that share no content word with their passage, among all passages of the file."""
    question_set = QuestionSet(f"paraphrases-{language}", ".txt")
    content = json.loads(PARAPHRASES.read_text(encoding="utf-8"))
    for group in ("en", "zh"):
        for number, (passage, question) in enumerate(content[group]):
            question_set.documents[f"{group}-{number}"] = passage
            if group == language:
                question_set.questions.append(Question(question, f"{group}-{number}", [(0, len(passage))]))
    question_set.documents |= {f"other-{number}": passage for number, passage in enumerate(content["others"])}
    return question_set


def sets(folder: Path, share: int) -> Iterator[QuestionSet]:
    """All sets, with every `share`th question."""
    question_sets = [paraphrases("en"), paraphrases("zh"), english(folder), chinese(folder)]
    question_sets += [squad(path) for path in sorted([*folder.glob("xquad*.json"), *folder.glob("drcd*.json")])]
    for question_set in question_sets:
        if not question_set.name.startswith("paraphrases"):
            question_set.questions = question_set.questions[::share]
        yield question_set


def declined(client: Client, question_set: QuestionSet) -> None:
    """Print how many of the questions a caller does without at each threshold of `confidence`, and how many of the
    same when the documents that answer them are not searched.
    """

    def ask(question: Question, *, removed: bool) -> float:
        others = [name for name in question_set.documents if name != question.document_id]
        filter = {"documents": others} if removed else {}
        return float(client.search(question_set.name, question.text, "hybrid", filter)["confidence"])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        there, gone = (list(pool.map(partial(ask, removed=absent), question_set.questions)) for absent in (False, True))
    for threshold in THRESHOLDS:
        shares = [sum(confidence < threshold for confidence in part) / len(part) for part in (there, gone)]
        print(
            f"{question_set.name:16} confidence < {threshold:.2f}: {shares[0]:6.1%}, "
            f"without the answer {shares[1]:6.1%}"
        )


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds retrieval/")
    parser.add_argument("--embedders", nargs="+", default=["local", "e5"])
    parser.add_argument("--share", type=int, default=1, help="ask every so manieth question only")
    parser.add_argument("--sets", nargs="+", help="the names of some sets")
    arguments = parser.parse_args()
    settings = {name: value for name, value in os.environ.items() if name.startswith("EMBEDDING_")}
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    for embedder in arguments.embedders:
        with EmbeddedService(settings) as service:
            client = Client(service.url, embedder)
            print(f"\n{embedder}\n{'set':16} {'questions':>9} {'mode':7} {'recall@10':>9} {'MRR@10':>7} {'ms':>6}")
            for question_set in sets(arguments.data / "retrieval", arguments.share):
                if arguments.sets and question_set.name not in arguments.sets:
                    continue
                began = time.monotonic()
                client.take_in(question_set.name, question_set, *SIZES[0])
                print(
                    f"{question_set.name}: {len(question_set.documents)} documents taken in, "
                    f"{time.monotonic() - began:.0f} s"
                )
                ranking(client, question_set, halves=False)
                declined(client, question_set)


if __name__ == "__main__":
    main()
