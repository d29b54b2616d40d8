"""`docs/benchmarks-dashboard.md`: what was measured, also where a goal is missed."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import report
from bench.dashboard.engine import Turns
from bench.dashboard.pages import Answers
from bench.report import goals, versions
from tests.processes import ROOT

PATH = ROOT / "docs" / "benchmarks-dashboard.md"
#: Milliseconds within which 95 of 100 answers are to come: of a page, and of what programs ask again and again.
PAGE, FIGURE = 300, 50
#: The part of the throughput that dashboards may cost.
COST = 0.03

INTRODUCTION = """\
# Benchmarks of the dashboard

Written by `make bench-dashboard`. The tables are filled by PostgreSQL itself: {ended:,} ended and {opened:,} open tasks
in 1,000 KBs, with batches, documents, callbacks, acts and 90 days of counters; then web, clock and a worker run on them
with their default settings, but for MAX_BACKLOG. {scaled}
"""

FLOWER = "## The same with Flower\n"
PUBLISHED = """\
## What Oban and Hatchet publish

None of this was run here, and neither publishes what open dashboards cost the work beside them, or how long a page
takes: looked for in the documentation, change logs and issues of Oban, Oban Web, Oban Met and Hatchet in November 2026.
What comes nearest:

- **Oban Met 1.2.0**, which keeps the figures of Oban Web in memory, says for one reading among 300,000 rows 0.013 to
  0.63 ms, and up to 308 ms before that release ([change log](https://hex.pm/packages/oban_met/1.2.0/files/CHANGELOG.md)).
  Its counts are queries of their own: with millions of jobs a day they took a large share of the database's time
  ([oban#1120](https://github.com/oban-bg/oban/issues/1120), reported by a user, on an earlier release).
- **Hatchet 0.55.26** on 8 CPU of PostgreSQL (m7g.2xlarge) says that the engine uses 15 % of them at 100 runs a second,
  60 % at 500 and 83 % at 2,000 ([benchmarking](https://docs.hatchet.run/self-hosting/benchmarking)); it does not say
  what looks at it meanwhile. Of 0.74.14 a user reported that one count of tasks by status took 11 s, and that it slows
  from some 1,000,000 runs on ([hatchet#3790](https://github.com/hatchet-dev/hatchet/issues/3790)); the statement was
  mended since ([#3800](https://github.com/hatchet-dev/hatchet/pull/3800)).
"""


@dataclass(slots=True)
class Results:
    """What has been measured so far."""

    command: str
    date: str
    servers: list[str]
    ended: int
    opened: int
    scaled: str = ""
    filled: float = 0.0
    loads: list[float] = field(default_factory=list)
    pages: Mapping[str, Answers] = field(default_factory=dict)
    figures: Mapping[str, Answers] = field(default_factory=dict)
    snapshots: int = 0
    turns: Turns | None = None
    flower: Turns | None = None
    viewers: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def write(results: Results, path: Path = PATH) -> None:
    """Write the page anew with what there is; what it told of Flower stays."""
    head = INTRODUCTION.format(ended=results.ended, opened=results.opened, scaled=results.scaled)
    parts = [head.rstrip() + "\n", _machine(results), _goals(results), _pages(results), _figures(results)]
    parts += [_engine(results), _kept(path)[1] or f"{FLOWER}\nNot measured yet.\n", PUBLISHED]
    path.write_text("\n".join(part for part in parts if part))


def write_flower(results: Results, load: float, path: Path = PATH) -> None:
    """Write anew what the page tells of Flower.

    Parameters:
      load: of the last minute before that began.
    """
    assert results.flower is not None, "it is written when it was measured"
    path.write_text(
        "\n".join(part for part in (_kept(path)[0], _flower(results, results.flower, load), PUBLISHED) if part)
    )


def write_failures(results: Results, path: Path = PATH) -> None:
    """Say at the end what could not be measured this time."""
    text = path.read_text().partition("\n## What failed")[0] if path.exists() else ""
    failed = report.failed(results)  # type: ignore[arg-type]
    path.write_text(f"{text}\n{failed}" if failed else text)


def _kept(path: Path) -> tuple[str, str]:
    """Return what a page tells before Flower, and of it."""
    text = path.read_text() if path.exists() else ""
    before, title, rest = text.partition(FLOWER)
    return before.rstrip("\n") + "\n" if before else "", title and title + rest.partition("\n## ")[0].rstrip(
        "\n"
    ) + "\n"


def _machine(results: Results) -> str:
    return report.machine(results)  # type: ignore[arg-type]


def _goals(results: Results) -> str:
    rows = []
    pages = {name: page for name, page in results.pages.items() if name != "livez"}
    if pages:
        slowest = max(pages.values(), key=lambda page: page.share(0.95))
        figure = slowest.share(0.95)
        rows.append((f"the slowest page, `{slowest.path}`, p95", f"{figure:.0f} ms", f"{PAGE} ms", figure < PAGE))
    for name, answers in results.figures.items():
        if name != "livez":
            figure = answers.share(0.95)
            rows.append((f"`{answers.path}`, p95", f"{figure:.0f} ms", f"{FIGURE} ms", figure < FIGURE))
    if results.turns is not None:
        cost = 1 - statistics.median(results.turns.ratios(results.turns.rates))
        text = f"throughput that {results.viewers} dashboards cost"
        rows.append((text, f"{cost:.1%}", f"{COST:.0%}", cost < COST))
        dear = statistics.median(results.turns.ratios(results.turns.cpu)) - 1
        rows.append((f"CPU a task that {results.viewers} dashboards cost", f"{dear:.1%}", f"{COST:.0%}", dear < COST))
    return goals(rows)


def _table(answers: Mapping[str, Answers]) -> str:
    lines = ["| address | p50, ms | p95, ms | worst, ms | KB |", "|---|---|---|---|---|"]
    for page in answers.values():
        times = " | ".join(f"{page.share(part):.1f}" for part in (0.5, 0.95, 1.0))
        lines.append(f"| `{page.path}` | {times} | {page.bytes / 1000:.1f} |")
    return "\n".join([*lines, ""])


def _pages(results: Results) -> str:
    if not results.pages:
        return ""
    rounds = len(next(iter(results.pages.values())).milliseconds)
    return (
        f"## Pages\n\nEach asked for {rounds} times, in turns, one request at a time, as a browser asks. `/livez` asks"
        " nothing of\nanybody: what it takes is the machine's own.\n\n" + _table(results.pages)
    )


def _figures(results: Results) -> str:
    if not results.figures:
        return ""
    rounds = len(next(iter(results.figures.values())).milliseconds)
    return (
        f"## Figures and lists\n\nWhat programs ask, each {rounds} times, while {results.snapshots} snapshots of the"
        " figures were taken; the worst of each\nis that beside a snapshot.\n\n" + _table(results.figures)
    )


def _engine(results: Results) -> str:
    turns = results.turns
    if turns is None:
        return ""
    seen = turns.seen[-1]
    return "\n".join(
        [
            "## What dashboards cost the engine",
            "",
            f"Single `POST /tasks` of tasks that do nothing, 50 clients, on the same tables, in turns of"
            f" {results.seconds:.0f} s without and with",
            f"{results.viewers} dashboards, {len(turns.seen)} pairs. All pages are looked at alike, as a browser does:"
            " its stream is open, and of the",
            f"overview the plots are asked for. In the last turn {seen.get('news', 0):,} times news came,"
            f" {seen.get('bytes', 0) / 1e6:.1f} MB. CPU is that of all processes but the load",
            f"generator and the viewers. {os.cpu_count()} cores.",
            "",
            _turns(turns, f"{results.viewers} dashboards"),
        ]
    )


def _turns(turns: Turns, name: str) -> str:
    lines = ["| | completed/s | CPU a task, µs |", "|---|---|---|"]
    for watched in (False, True):
        figures = f"{report.cell(turns.rates[watched])} | {report.cell(turns.cpu[watched])}"
        lines.append(f"| {name if watched else 'alone'} | {figures} |")
    lines.append(f"| ratio of the pairs, 95 % interval | {turns.spread(turns.rates)} | {turns.spread(turns.cpu)} |")
    return "\n".join([*lines, ""])


def _flower(results: Results, turns: Turns, load: float) -> str:
    return (
        f"{FLOWER}\nFastAPI and Celery as in [benchmarks.md](benchmarks.md), on empty tables, without Flower and with"
        f" it and its page of\nworkers open {results.viewers} times, each of which asks once a second, as its script"
        " does. Flower is one more process,\nwhose CPU is not in the column; it takes it from the others."
        f" {versions('bench', ('celery', 'flower'))}.\n`{results.command}` on {results.date}, {os.cpu_count()} cores;"
        f" load average of the last minute before that: {load:.1f}.\n\n"
        + _turns(turns, f"Flower, {results.viewers} pages")
    )
