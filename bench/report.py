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
#: How tasks are submitted.
HOW = ("single", "batches")
#: Processes whose CPU is told apart.
GROUPS = ("web", "worker", "clock", "PostgreSQL", "RabbitMQ")
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
    parts = [INTRODUCTION, machine(results), _goals(results), _throughput(results), _cpu(results), _latency(results)]
    parts += [_documents(results), _size(results), _memory(results), failed(results), _settings()]
    path.write_text("\n".join(part for part in parts if part))


def cell(figures: Sequence[float], digits: int = 0) -> str:
    """Write a median, with the least and the greatest where there are several."""
    if not figures:
        return "–"
    middle = f"{statistics.median(figures):,.{digits}f}"
    return middle if len(figures) == 1 else f"{middle} ({min(figures):,.{digits}f}–{max(figures):,.{digits}f})"


def machine(results: Results) -> str:
    """Where and when it was measured, and how busy the machine was."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    load = ", ".join(f"{average:.1f}" for average in results.loads)
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
        ("single, completed/s", "single `POST /tasks`, 50 clients", CAREFUL, 4.5),
        ("batches, completed/s", "batches of 100", FASTAPI, 25),
        ("batches, completed/s", "batches of 100", CAREFUL, 12),
    ):
        own, other = (results.throughput.get((name, column)) for name in (OURS.name, against))
        if own and other:
            ratio = statistics.median(own) / statistics.median(other)
            rows.append((f"{text}, against {against}", f"{ratio:.1f} times", f"{goal:g} times", ratio >= goal))
    for how, most in (("single", 520), ("batches", 180)):
        used = results.throughput.get((OURS.name, f"{how}, CPU µs"))
        if used:
            figure = statistics.median(used)
            rows.append((f"CPU a task, {how}", f"{figure:,.0f} µs", f"{most} µs", figure <= most))
    idle, celery = (results.throughput.get((name, "idle p50, ms")) for name in (OURS.name, FASTAPI))
    if idle:
        own_p50 = statistics.median(idle)
        rows.append(("idle, submitted to completed, p50", f"{own_p50:.1f} ms", "6 ms", own_p50 <= 6))
        if celery:
            other_p50 = statistics.median(celery)
            text = f"{own_p50:.1f} against {other_p50:.1f} ms"
            rows.append((f"the same, against {FASTAPI}", text, "less", own_p50 < other_p50))
    if results.documents.get("service, CPU ms"):
        figure = statistics.median(results.documents["service, CPU ms"])
        rows.append(("CPU a document, small ones", f"{figure:.1f} ms", "16 ms", figure <= 16))
    if results.size.get("ratio"):
        ratio = statistics.median(results.size["ratio"])
        rows.append((f"single, {results.rows:,} ended tasks against none", f"{ratio:.2f}", "0.9", ratio >= 0.9))
    return goals(rows)


def goals(rows: Sequence[tuple[str, str, str, bool]]) -> str:
    """Write a table of what was wanted: the goal, what was measured, what was wanted, whether it is reached."""
    lines = [f"| {what} | {figure} | {goal} | {'yes' if met else '**no**'} |" for what, figure, goal, met in rows]
    return "\n".join(["| goal | measured | wanted | reached |", "|---|---|---|---|", *lines, ""]) if lines else ""


def _table(samples: Samples, columns: dict[str, int], head: str = "") -> str:
    names = [
        contestant.name for contestant in CONTESTANTS if any((contestant.name, column) in samples for column in columns)
    ]
    if not names:
        return ""
    lines = [f"| {head} | " + " | ".join(columns) + " |", "|" + "---|" * (1 + len(columns))]
    for name in names:
        cells = [cell(samples.get((name, column), []), digits) for column, digits in columns.items()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _throughput(results: Results) -> str:
    columns = {f"{how}, {what}": 0 for how in HOW for what in ("completed/s", "submitted/s", "CPU µs")}
    table = _table(results.throughput, columns)
    title = """\
## Tasks a second

Single: 50 clients. Batches: 100 tasks a request, 4 clients. Completed counts from the first request to the last task's
end. CPU is what all processes but the load generator have used for each completed task, the servers included: where
others work on the machine it is the figure to be trusted, and the cores divided by it are the most tasks a second.
"""
    return table and f"{title}\n{table}"


def _cpu(results: Results) -> str:
    lines = ["| | " + " | ".join(GROUPS) + " |", "|" + "---|" * (1 + len(GROUPS))]
    for name in (contestant.name for contestant in CONTESTANTS):
        for how in HOW:
            figures = [results.throughput.get((name, f"{how}, {group}, CPU µs"), []) for group in GROUPS]
            if any(figures):
                lines.append(f"| {name}: {how} | " + " | ".join(map(cell, figures)) + " |")
    if len(lines) == 2:
        return ""
    title = """\
## CPU a task

Microseconds of user and system time for each completed task, by group of processes, each with all that it has started.
A server that a contestant does not use shows what it costs at rest. Of batches, what a contestant has accepted and not
ended in time is counted with what it has ended.
"""
    return "\n".join([title, *lines, ""])


def _latency(results: Results) -> str:
    columns = {"POST p50, ms": 1, "POST p99, ms": 1, "idle p50, ms": 1, "idle p99, ms": 1}
    table = _table(results.throughput, columns)
    title = "## Latency\n\nPOST: the answer, at 50 clients. Idle: one task at a time, from its POST until its row says"
    return table and f"{title} that it is done.\n\n{table}"


def _documents(results: Results) -> str:
    if not results.documents.get("service, s"):
        return ""
    figures = {name: cell(results.documents[name], 1) for name in results.documents}
    groups = " | ".join(figures[f"service, {group}, CPU ms"] for group in GROUPS)
    return "\n".join(
        [
            "## Documents",
            "",
            f"{results.documents_count:,} small documents (Markdown, HTML, DOCX, PDF and text, English and Chinese), "
            "uploaded by 4 clients",
            "until the last is searchable; and the same extraction, chunking and embedding by as many threads as the",
            "worker has, with the same two reading children, and no queue, no state and no storage. CPU is in",
            "milliseconds a document.",
            "",
            f"| | seconds | CPU | {' | '.join(f'of {group}' for group in GROUPS)} |",
            "|" + "---|" * (3 + len(GROUPS)),
            f"| reading alone | {figures['loop, s']} | {figures['loop, CPU ms']} |" + " – |" * len(GROUPS),
            f"| the service | {figures['service, s']} | {figures['service, CPU ms']} | {groups} |",
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
            cells = " | ".join(cell(samples) for samples in figures)
            lines.append(f"| {contestant.name}: {process} | {ready} | {cells} |")
    if len(lines) == 2:
        return ""
    title = (
        "## Memory and start\n\nEach process with all that it starts; RSS counts shared pages in each, PSS divides "
        "them. Ready is the first 200 of\n`/health`. [Running it](running.md#footprint) shows each process by itself.\n"
    )
    return "\n".join([title, *lines, ""])


def failed(results: Results) -> str:
    """Write what could not be measured; nothing where all could."""
    if not results.failures:
        return ""
    return "\n".join(["## What failed", "", *(f"- {' '.join(failure.split())}" for failure in results.failures), ""])


def _settings() -> str:
    lines = [f"- **{contestant.name}**: {contestant.settings}." for contestant in CONTESTANTS]
    return "\n".join(
        ["## Versions and settings", "", *lines, f"- Peers' libraries: {versions('bench', LIBRARIES)}.", ""]
    )


def versions(requirements: str, libraries: Sequence[str]) -> str:
    """Return what requirements/NAME.txt pins of some libraries."""
    text = (ROOT / "requirements" / f"{requirements}.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))
    return ", ".join(f"{name} {pinned[name]}" for name in libraries)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
