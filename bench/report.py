"""`docs/benchmarks.md`: what was measured, on which machine, with which versions; also where a goal is missed."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import size
from bench.contestants import CONTESTANTS, OURS
from bench.throughput import Samples
from tests.processes import ROOT

PATH = ROOT / "docs" / "benchmarks.md"
FASTAPI, CAREFUL = CONTESTANTS[1].name, CONTESTANTS[2].name
LIBRARIES = ("celery", "dramatiq", "falcon", "fastapi", "gunicorn", "pika", "procrastinate", "psycopg", "sqlalchemy",
             "psycopg2-binary", "uvicorn", "uvloop", "httptools")  # fmt: skip

INTRODUCTION = """\
# Benchmarks

Written by `make bench`. Every figure is a median with the least and the greatest beside it; a ratio is that of medians.
All contestants run on the same PostgreSQL and RabbitMQ in turns, round after round, on databases and virtual hosts of
their own; load generator, servers and processes share the machine. PostgreSQL runs with `fsync` and
`synchronous_commit` on; messages are persistent and confirmed; each task is a row that is committed as queued,
`processing` and `completed` (Dramatiq alone has no row, Procrastinate no broker). Tasks do nothing: where a task takes
seconds, none of this decides.
"""


@dataclass(slots=True)
class Results:
    """What has been measured so far."""

    command: str
    date: str
    servers: list[str]
    throughput: Samples = field(default_factory=dict)
    documents: dict[str, list[float]] = field(default_factory=dict)
    size: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    """Foreign load at the begin of the parts: processes that others had running."""
    documents_count: int = 0
    rows: int = 0


def write(results: Results, path: Path = PATH) -> None:
    """Write the page anew with what there is."""
    parts = [INTRODUCTION, _machine(results), _goals(results), _throughput(results), _latency(results)]
    parts += [_documents(results), _size(results), _memory(results), _failures(results), _settings(results)]
    path.write_text("\n".join(part for part in parts if part))


def cell(figures: Sequence[float], digits: int = 0) -> str:
    """A median, with the least and the greatest where there are several."""
    if not figures:
        return "–"
    middle = f"{statistics.median(figures):,.{digits}f}"
    return middle if len(figures) == 1 else f"{middle} ({min(figures):,.{digits}f}–{max(figures):,.{digits}f})"


def _machine(results: Results) -> str:
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    load = ", ".join(f"{each:.1f}" for each in results.loads)
    return (
        f"`{results.command}` on {results.date}: {os.cpu_count()} cores ({cpu}), {memory / 1e6:.0f} GB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}. "
        f"{'; '.join(results.servers)}. Load average of the last minute when each part began: {load}. "
        "The first of these is that before anything was started: where it is far above 0, others worked beside the "
        "benchmark. The absolute figures say little then, and the ratios are those of a machine that is short of CPU: "
        "whoever hands a task from thread to thread more often waits more often.\n"
    )


def _goals(results: Results) -> str:
    rows = []
    for column, text, against, goal in (
        ("single, completed/s", "single `POST /tasks`, 50 clients", FASTAPI, 10),
        ("single, completed/s", "single `POST /tasks`, 50 clients", CAREFUL, 4),
        ("batches, completed/s", "batches of 100", FASTAPI, 30),
        ("batches, completed/s", "batches of 100", CAREFUL, 12),
    ):
        own, other = (results.throughput.get((name, column)) for name in (OURS.name, against))
        if own and other:
            ratio = statistics.median(own) / statistics.median(other)
            rows.append((f"{text}, against {against}", f"{ratio:.1f} times", f"{goal} times", ratio >= goal))
    idle, celery = (results.throughput.get((name, "idle p50, ms")) for name in (OURS.name, FASTAPI))
    if idle:
        own_p50 = statistics.median(idle)
        rows.append(("idle, submitted to completed, p50", f"{own_p50:.1f} ms", "5 ms", own_p50 < 5))
        if celery:
            other_p50 = statistics.median(celery)
            text = f"{own_p50:.1f} against {other_p50:.1f} ms"
            rows.append((f"the same, against {FASTAPI}", text, "no worse", own_p50 <= other_p50))
    if results.documents.get("service, s"):
        added = _added(results)
        rows.append(("documents: queue, state and storage on top of reading", f"{added:.0%}", "25 %", added < 0.25))
    if results.size.get("ratio"):
        ratio = statistics.median(results.size["ratio"])
        rows.append((f"single, {results.rows:,} ended tasks against none", f"{ratio:.2f}", "0.9", ratio >= 0.9))
    lines = [f"| {what} | {figure} | {goal} | {'yes' if met else '**no**'} |" for what, figure, goal, met in rows]
    return "\n".join(["| goal | measured | wanted | reached |", "|---|---|---|---|", *lines, ""]) if lines else ""


def _table(samples: Samples, columns: dict[str, int], head: str = "") -> str:
    names = [each.name for each in CONTESTANTS if any((each.name, column) in samples for column in columns)]
    if not names:
        return ""
    lines = [f"| {head} | " + " | ".join(columns) + " |", "|" + "---|" * (1 + len(columns))]
    for name in names:
        cells = [cell(samples.get((name, column), []), digits) for column, digits in columns.items()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _throughput(results: Results) -> str:
    columns = {"single, completed/s": 0, "single, submitted/s": 0, "batches, completed/s": 0, "batches, submitted/s": 0}
    table = _table(results.throughput, columns)
    title = (
        "## Tasks a second\n\nSingle: 50 clients. Batches: 100 tasks a request, 4 clients. Completed counts from the "
    )
    return table and f"{title}first\nrequest to the last task's end.\n\n{table}"


def _latency(results: Results) -> str:
    columns = {"POST p50, ms": 1, "POST p99, ms": 1, "idle p50, ms": 1, "idle p99, ms": 1}
    table = _table(results.throughput, columns)
    title = "## Latency\n\nPOST: the answer, at 50 clients. Idle: one task at a time, from its POST until its row says"
    return table and f"{title} that it is done.\n\n{table}"


def _added(results: Results) -> float:
    return statistics.median(results.documents["service, s"]) / statistics.median(results.documents["loop, s"]) - 1


def _documents(results: Results) -> str:
    if not results.documents.get("service, s"):
        return ""
    seconds = {name: cell(results.documents.get(name, []), 1) for name in results.documents}
    return "\n".join(
        [
            "## Documents",
            "",
            f"{results.documents_count:,} small documents (Markdown, HTML, DOCX, PDF and text, English and Chinese), "
            "uploaded by 4 clients",
            "until the last is searchable; and the same extraction, chunking and embedding by as many threads as the",
            "worker has, with the same two reading children, and no queue, no state and no storage. CPU is that of",
            "all processes, PostgreSQL's and RabbitMQ's included.",
            "",
            "| | seconds | seconds of CPU |",
            "|---|---|---|",
            f"| reading alone | {seconds['loop, s']} | {seconds['loop, CPU s']} |",
            f"| the service | {seconds['service, s']} | {seconds['service, CPU s']} |",
            "",
        ]
    )


def _size(results: Results) -> str:
    ratios = results.size.get("ratio", [])
    if not ratios:
        return ""
    low, high = size.interval(ratios)
    return "\n".join(
        [
            "## Cost against size",
            "",
            f"Single `POST /tasks` at 50 clients with {results.rows:,} ended tasks in the table and without, in "
            f"{len(ratios)} pairs:",
            f"{cell(results.size['full'])} against {cell(results.size['empty'])} completed tasks a second; the median "
            f"of the pairs' ratios is",
            f"{statistics.median(ratios):.2f} (95 % interval by bootstrap {low:.2f}–{high:.2f}).",
            "",
        ]
    )


def _memory(results: Results) -> str:
    whens = {f"{kind} {when}, MB": 0 for when in ("at rest", "at the end") for kind in ("RSS", "PSS")}
    lines = ["| | ready, s | " + " | ".join(whens) + " |", "|" + "---|" * (2 + len(whens))]
    for contestant in CONTESTANTS:
        for process in ("web", "worker", "clock"):
            figures = [results.throughput.get((contestant.name, f"{process} {when}"), []) for when in whens]
            if not any(figures):
                continue
            ready = cell(results.throughput.get((contestant.name, "ready, s"), []), 2) if process == "web" else ""
            cells = " | ".join(cell(each) for each in figures)
            lines.append(f"| {contestant.name}: {process} | {ready} | {cells} |")
    if len(lines) == 2:
        return ""
    title = (
        "## Memory and start\n\nEach process with all that it starts; RSS counts shared pages in each, PSS divides "
        "them. Ready is the first 200 of\n`/health`. The README shows each process of the service by itself.\n"
    )
    return "\n".join([title, *lines, ""])


def _failures(results: Results) -> str:
    if not results.failures:
        return ""
    return "\n".join(["## What failed", "", *(f"- {' '.join(each.split())}" for each in results.failures), ""])


def _settings(results: Results) -> str:
    lines = [f"- **{each.name}**: {each.settings}." for each in CONTESTANTS]
    return "\n".join(["## Versions and settings", "", *lines, f"- Peers' libraries: {_versions()}.", ""])


def _versions() -> str:
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / "bench.txt").read_text(), re.MULTILINE))
    return ", ".join(f"{name} {pinned[name]}" for name in LIBRARIES)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
