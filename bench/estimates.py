"""How far `estimated_completion` is from the truth, on real runs of documents that are queued behind each other.

    python -m bench.estimates

Waves of English and Chinese texts of very different lengths are submitted at once, for several KBs, and all tasks are
listed over REST again and again while they run. At 10, 50 and 90 % of a document's life, from its submission to its
end, the estimate that was shown last is compared with that end: the error is the distance in per cent of the life. The
first wave comes to a service that has measured nothing yet, where nothing is said until the first documents have ended.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from bench.footprint import CHINESE, ENGLISH, servers
from tests.processes import Deployment

#: Parts of a life at which the estimate is looked at.
MOMENTS = (0.1, 0.5, 0.9)
#: Characters of the shortest and of the longest document; between them lengths are spread evenly by their logarithm.
SHORTEST, LONGEST = 1_000, 300_000
KBS = 3
#: Seconds between two looks.
EVERY = 0.5

Seen = tuple[datetime, datetime | None]


def text(chance: random.Random) -> str:
    """Make a text of a random length, without repeated passages."""
    length = SHORTEST * (LONGEST / SHORTEST) ** chance.random()
    _, sentence = chance.choice((*ENGLISH, *CHINESE))
    sentences = []
    while length > 0:
        sentences.append(sentence.format(chance.randrange(10**9)))
        length -= len(sentences[-1])
    return "\n".join(sentences)


def wave(deployment: Deployment, name: str, count: int, chance: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Submit documents and look at them until all have ended.

    Returns:
      the ended tasks by id, and what was estimated when.
    """
    tasks = [
        {
            "task_type": "document_processing",
            "kb_id": f"kb-{number % KBS}",
            "payload": {"content": text(chance), "document_id": f"{name}-{number}"},
        }
        for number in range(count)
    ]
    submitted = deployment.http.post("/api/v1/tasks/batch", json={"tasks": tasks})
    assert submitted.json()["rejected"] == 0
    seen: dict[str, list[Seen]] = defaultdict(list)
    while True:
        at = datetime.now(UTC)
        listed = deployment.http.get(
            "/api/v1/tasks", params={"limit": 500, "batch_id": submitted.json()["batch_id"]}
        ).json()["items"]
        for task in listed:
            # A list does not say; each task's own page does.
            shown = deployment.http.get(f"/api/v1/tasks/{task['task_id']}").json()
            end = shown["estimated_completion"]
            seen[task["task_id"]].append((at, datetime.fromisoformat(end) if end else None))
        if all(task["finished_at"] for task in listed):
            assert all(task["status"] == "completed" for task in listed), listed
            return {task["task_id"]: task for task in listed}, seen
        time.sleep(EVERY)


def errors(tasks: dict[str, Any], seen: dict[str, list[Seen]], moment: float) -> list[float | None]:
    """Of each task the error in per cent of its life at this part of it; None where nothing was said."""
    percents: list[float | None] = []
    for task_id, task in tasks.items():
        created, finished = (datetime.fromisoformat(task[name]) for name in ("created_at", "finished_at"))
        until = created + (finished - created) * moment
        last = [end for at, end in seen[task_id] if at <= until]
        if last:
            end = last[-1]
            percents.append(abs(end - finished) / (finished - created) * 100 if end else None)
    return percents


def row(run: int, name: str, tasks: dict[str, Any], seen: dict[str, list[Seen]], moment: float) -> str:
    """Write a line of the table."""
    percents = errors(tasks, seen, moment)
    figures = sorted(percent for percent in percents if percent is not None)
    if not figures:
        return f"| {run} | {name} | {moment:.0%} | 0% | | |"
    ninth = figures[min(len(figures) - 1, int(len(figures) * 0.9))]
    share = f"{len(figures) / len(percents):.0%}"
    return f"| {run} | {name} | {moment:.0%} | {share} | {statistics.median(figures):.0f} % | {ninth:.0f} % |"


def life(tasks: dict[str, Any]) -> str:
    """How long they took, and how much of it they waited."""
    lives = [
        (datetime.fromisoformat(task["finished_at"]) - datetime.fromisoformat(task["created_at"])).total_seconds()
        for task in tasks.values()
    ]
    waits = [task["queue_wait_seconds"] for task in tasks.values()]
    return f"lives of {min(lives):.1f} to {max(lives):.1f} s, of which they waited {sum(waits) / sum(lives):.0%}"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--documents", type=int, default=100, help="of a wave, 500 at most")
    arguments = parser.parse_args()
    lines, notes = [], []
    with servers() as (server, node, folder, guard):
        for run in range(1, arguments.runs + 1):
            (folder / f"run-{run}").mkdir()
            chance = random.Random(run)
            with (
                server.database() as url,
                node.fresh() as rabbitmq,
                Deployment(url, rabbitmq.url, folder / f"run-{run}", guard) as deployment,
            ):
                for name in ("web", "worker", "clock"):
                    deployment.start(name)
                for name in ("first", "second"):
                    tasks, seen = wave(deployment, name, arguments.documents, chance)
                    lines += [row(run, name, tasks, seen, moment) for moment in MOMENTS]
                    notes.append(f"Run {run}, {name} wave: {life(tasks)}; load {os.getloadavg()[0]:.1f}.")
    print(
        f"{os.cpu_count()} CPUs; {arguments.documents} documents of {SHORTEST:,} to {LONGEST:,} characters in a wave."
    )
    print(*notes, sep="\n")
    print("\n| run | wave | of its life | told | median error | 90th percentile |\n|---|---|---|---|---|---|")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
