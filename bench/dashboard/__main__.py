"""`make bench-dashboard`: pages over millions of tasks, and what they cost, into docs/benchmarks-dashboard.md.

    python -m bench.dashboard --ended 1000000 --open 100000
    python -m bench.dashboard --only flower --pairs 3 --seconds 20

PostgreSQL comes from the wheel. Where there is no room for so many tasks, it is filled with as many as fit.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx2
import psutil
import psycopg2

from bench.contestants import OURS, Running
from bench.dashboard import engine, fill, flower, pages, report
from bench.dashboard.report import Results
from bench.servers import Servers, start
from tests.postgres import OwnPostgres
from tests.processes import Deployment
from tests.servers import eventually

#: Pages, by name; with them what has a KB, a document, a task and a filter in it.
PAGES = {
    "overview": "/",
    "tasks": "/tasks",
    "failed": "/tasks?status=failed",
    "queued": "/tasks?status=queued",
    "of a KB": "/tasks?kb_id=kb-0&status=completed",
    "by code": "/tasks?error_code=corrupt",
    "errors": "/errors",
    "errors of a week": "/errors?window=7d",
    "batches": "/batches",
    "open batches": "/batches?status=processing",
    "batches with failed tasks": "/batches?task_status=failed",
    "batches of a KB": "/batches?kb_id=kb-0",
    "queues": "/queues",
    "waiting queues": "/queues?state=waiting",
    "workers": "/workers",
    "idle workers": "/workers?state=idle",
    "kbs": "/kbs",
    "kbs by prefix": "/kbs?prefix=kb-1",
    "kbs with failed tasks": "/kbs?task_status=failed",
    "kb": "/kbs/kb-0",
    "callbacks": "/callbacks",
    "failed callbacks": "/callbacks?state=failed",
    "audit": "/audit",
    "plots": "/plots?window=1h",
    "plots of 90 days": "/plots?window=90d",
}
FIGURES = {"livez": "/livez", "metrics": "/metrics", "queues": "/api/v1/stats/queues", "tasks": "/api/v1/tasks"}
#: Paragraphs of the document whose page is looked at.
PARAGRAPHS = 400


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench-dashboard", description=__doc__.partition("\n")[0])
    parser.add_argument("--ended", type=int, default=10_000_000)
    parser.add_argument("--open", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60, help="in which each page is asked for once")
    parser.add_argument("--figures", type=int, default=600, help="times that each figure is asked for")
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=4, help="of turns without and with dashboards")
    parser.add_argument("--seconds", type=float, default=60.0, help="of a turn")
    parser.add_argument("--only", choices=PARTS, help="measure one part, and leave of the page what tells of the other")
    parser.add_argument("--output", type=Path, default=report.PATH)
    return parser.parse_args()


def fitting(ended: int, opened: int, folder: Path) -> tuple[int, int, str]:
    """Return as many tasks as fit on the disk, and a sentence where these are fewer than were asked for."""
    room = shutil.disk_usage(folder).free // 2 // fill.BYTES
    if ended + opened <= room:
        return ended, opened, ""
    part = room / (ended + opened)
    return int(ended * part), int(opened * part), f"The disk had room for {part:.0%} of what was asked for."


@contextmanager
def minimal_log(server: OwnPostgres) -> Iterator[None]:
    """Let the server write what is filled in one transaction without a log; it is started anew before and after."""

    def run(*statements: str) -> None:
        connection = psycopg2.connect(server.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()
        server.stop()
        server.start()

    names = {"wal_level": "'minimal'", "max_wal_senders": "0", "max_wal_size": "'16GB'"}
    run(*(f"ALTER SYSTEM SET {name} = {value}" for name, value in names.items()))
    yield
    run(*(f"ALTER SYSTEM RESET {name}" for name in names))


@contextmanager
def filled(servers: Servers, results: Results) -> Iterator[tuple[Running, dict[str, str]]]:
    """Give a deployment on full tables, and the pages that there are of it."""
    own = servers.postgres
    assert isinstance(own, OwnPostgres), "TEST_DATABASE_URL is set; this starts a PostgreSQL of its own"
    folder = servers.folder / "deployment"
    folder.mkdir()
    with (
        own.database() as url,
        servers.rabbitmq.fresh() as broker,
        # What is filled in alone would be as much as may wait.
        Deployment(url, broker.url, folder, servers.guard, MAX_BACKLOG=str(10 * results.opened)) as deployment,
    ):
        for name in ("web", "worker", "clock"):
            deployment.start(name)
        _document(deployment)
        for process in deployment.processes:
            process.end()
        deployment.processes.clear()
        with minimal_log(own):
            results.filled = fill.fill(url, results.ended, results.opened)
        deployment.start("web")
        # What is filled in waits in the queues of documents.
        deployment.start("worker", "--queues default callback")
        deployment.start("clock")
        processes = {process.name: [psutil.Process(process.pid)] for process in deployment.processes}
        with closing(Running(OURS, servers, deployment.url, url, processes, folder)) as running:
            (task,) = running.ask("SELECT id FROM tasks WHERE status = 'completed' LIMIT 1")
            more = {"task": f"/tasks/{task}", "document": f"/kbs/kb-0/documents/{quote('a/long.md', safe='')}"}
            yield running, {**PAGES, **more}


def _document(deployment: Deployment) -> None:
    """Take in a document of many chunks, and wait until the clock has noted that."""
    text = "\n\n".join(
        f"# Part {n}\n\n" + f"Sentence {n} of a text that is looked at. " * 20 for n in range(PARAGRAPHS)
    )
    payload = {"content": text, "document_id": "a/long.md"}
    body = {"task_type": "document_processing", "kb_id": "kb-0", "payload": payload}
    task = str(deployment.http.post("/api/v1/tasks", json=body).json()["task_id"])
    shown = eventually(
        lambda: (answer := deployment.http.get(f"/api/v1/tasks/{task}").json())["finished_at"] and answer, seconds=120
    )
    assert shown["status"] == "completed", shown
    time.sleep(25)


def measure(servers: Servers, options: argparse.Namespace, results: Results) -> None:
    """Measure one part after the other, and write the page after each."""
    results.loads.append(os.getloadavg()[0])
    with filled(servers, results) as (running, paths):
        print(f"filled in {results.filled:.0f} s", flush=True)
        results.loads.append(os.getloadavg()[0])
        results.pages = pages.ask(running.url, {"livez": "/livez", **paths}, rounds=options.rounds)
        report.write(results, options.output)
        results.loads.append(os.getloadavg()[0])
        results.figures, results.snapshots = _figures(running, options.figures)
        report.write(results, options.output)
        results.loads.append(os.getloadavg()[0])
        results.viewers, results.seconds = options.viewers, options.seconds
        results.turns = engine.measure(running, options.viewers, options.pairs, options.seconds)
        report.write(results, options.output)


def beside_flower(servers: Servers, options: argparse.Namespace, results: Results) -> None:
    """Measure what Flower costs Celery."""
    load = os.getloadavg()[0]
    results.viewers = options.viewers
    results.flower = flower.measure(servers, options.viewers, options.pairs, options.seconds)
    report.write_flower(results, load, options.output)


PARTS: dict[str, Callable[[Servers, argparse.Namespace, Results], None]] = {"pages": measure, "flower": beside_flower}


def _figures(running: Running, rounds: int) -> tuple[dict[str, pages.Answers], int]:
    """Ask for figures ten times a second. Returns with them how many snapshots were taken meanwhile."""
    with httpx2.Client(base_url=running.url, timeout=60) as client:
        seen: set[str] = set()
        figures: dict[str, pages.Answers] = {}
        for _ in range(10):
            part = pages.ask(running.url, FIGURES, rounds=rounds // 10, every=0.1, html=False)
            seen.add(client.get("/api/v1/stats/queues").json()["as_of"])
            for name, answers in part.items():
                if name in figures:
                    figures[name].milliseconds += answers.milliseconds
                else:
                    figures[name] = answers
    return figures, len(seen)


def main() -> int:
    """Measure and write. Returns 1 where something failed."""
    options = arguments()
    command = " ".join(["make bench-dashboard", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
    with start("bench-dashboard-") as servers:
        ended, opened, scaled = fitting(options.ended, options.open, servers.folder)
        descriptions = [
            servers.postgres.description().partition(" (")[0],
            servers.rabbitmq.description().partition(" (")[0],
        ]
        results = Results(command, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", descriptions, ended, opened, scaled)
        for name, part in PARTS.items():
            if options.only not in (None, name):
                continue
            try:
                part(servers, options, results)
            except Exception as error:
                results.failures.append(f"{part.__name__}: {type(error).__name__}: {str(error)[:500]}")
        report.write_failures(results, options.output)
    print(options.output.read_text())
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
