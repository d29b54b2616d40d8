"""`make bench-ingest`: the service, embedded mode and scripts of other frameworks take in the same documents.

    python -m bench.ingest --documents 20 --rounds 1

Each in turn, round after round; the page is docs/benchmarks-ingest.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.ingest_contestants import CONTESTANTS, EMBEDDED, ONE, SCRIPTS, SERVICE, Contestant
from bench.pipeline import WARM, mixture
from bench.report import Results, cell
from bench.servers import Servers, start
from tests.processes import ROOT

PATH = ROOT / "docs" / "benchmarks-ingest.md"
#: Groups of processes of which CPU is told apart; what is neither server is a contestant's own.
GROUPS = ("own", "PostgreSQL", "RabbitMQ")
LIBRARIES = ("langchain-community", "langchain-postgres", "langchain-text-splitters", "llama-index-core",
             "llama-index-readers-file", "llama-index-vector-stores-postgres", "haystack-ai", "pgvector-haystack",
             "pypdf", "docx2txt", "python-docx", "trafilatura", "psycopg", "psycopg2-binary", "sqlalchemy")  # fmt: skip

INTRODUCTION = """\
# Benchmarks of ingestion

Written by `make bench-ingest`. {count:,} small documents (Markdown, HTML, DOCX, PDF and text, English and Chinese)
until the last is searchable: the same files, the same embedder (hashed n-grams of 1,024 dimensions, which take little
time), chunks of at most 1,000 characters, and the same PostgreSQL; embedded mode brings one of the same build. All in
turns, round after round, each on a database of its own and after {warm} documents to warm up. Figures are medians, with
the least and the greatest beside them. CPU is in milliseconds a document, that of all processes but those that upload.

The service and embedded mode are sent uploads by 4 clients. A script is one process that reads files from a folder. It
has no queue, no state and no retry; what it was at when it is killed is lost or doubled. It is told which encoding the
text files have. Nobody builds an index of vectors; the service and Haystack index words.
"""


def measure(
    servers: Servers, rounds: int, count: int, results: Results, contestants: Sequence[Contestant] = CONTESTANTS
) -> None:
    """All contestants in turn, round after round; one that fails is named, and the others go on."""
    warm, documents = mixture(count)
    for turn in range(rounds):
        results.loads.append(os.getloadavg()[0])
        for number, contestant in enumerate(contestants):
            try:
                ingestion = contestant.take_in(servers, servers.folder / f"{turn}-{number}", warm, documents)
                assert ingestion.documents == len(warm) + count, f"{ingestion.documents} documents are searchable"
            except Exception as error:
                results.failures.append(f"{contestant.name}, round {turn + 1}: {type(error).__name__}: {error}"[:500])
                continue
            figures = {
                "seconds": ingestion.seconds,
                "documents/s": count / ingestion.seconds,
                "CPU ms": sum(ingestion.cpu.values()) / count * 1000,
                **{f"{group}, CPU ms": seconds / count * 1000 for group, seconds in ingestion.cpu.items()},
                "chunks a document": ingestion.chunks / ingestion.documents,
            }
            for column, figure in figures.items():
                results.throughput.setdefault((contestant.name, column), []).append(figure)
            print(f"{contestant.name}: {ingestion.seconds:.1f} s, {figures['CPU ms']:.1f} ms of CPU each", flush=True)


def write(results: Results, path: Path = PATH) -> None:
    """Write the page anew with what there is."""
    introduction = INTRODUCTION.format(count=results.documents_count, warm=min(WARM, results.documents_count))
    parts = [introduction, report.machine(results), _goals(results), _table(results), report.failed(results)]
    parts += [_settings()]
    path.write_text("\n".join(part for part in parts if part))


def _goals(results: Results) -> str:
    def median(name: str, column: str) -> float | None:
        figures = results.throughput.get((name, column))
        return statistics.median(figures) if figures else None

    own, used = median(SERVICE.name, "seconds"), median(SERVICE.name, "CPU ms")
    if own is None or used is None:
        return ""
    rows = [("CPU a document, the service", f"{used:.1f} ms", "16 ms", used <= 16)]
    for name in (f"{framework}, {ONE}" for framework, *_ in SCRIPTS[1:]):
        seconds = median(name, "seconds")
        if seconds is not None:
            text = f"{own:.1f} against {seconds:.1f} s"
            rows.append((f"the service against {name}", text, "no slower", own <= seconds))
    seconds = median(EMBEDDED.name, "seconds")
    if seconds is not None:
        text = f"{seconds:.1f} against {own:.1f} s"
        rows.append(("embedded mode against the service", text, "no slower", seconds <= own))
    return report.goals(rows)


def _table(results: Results) -> str:
    columns = {"seconds": 1, "documents/s": 0, "CPU ms": 1, **{f"{group}, CPU ms": 1 for group in GROUPS}}
    columns["chunks a document"] = 1
    lines = ["| | " + " | ".join(columns) + " |", "|" + "---|" * (1 + len(columns))]
    for name in (contestant.name for contestant in CONTESTANTS):
        figures = {column: results.throughput.get((name, column), []) for column in columns}
        if any(figures.values()):
            cells = [cell(figures[column], digits) for column, digits in columns.items()]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _settings() -> str:
    lines = [f"- **{contestant.name}**: {contestant.settings}." for contestant in (SERVICE, EMBEDDED)]
    lines += [f"- **{name}**: {settings}." for name, *_, settings in SCRIPTS]
    lines.append(f"- Libraries: {report.versions('ingest', LIBRARIES)}.")
    return "\n".join(["## Versions and settings", "", *lines, ""])


def main() -> int:
    """Measure and write. Returns 1 where something failed."""
    parser = argparse.ArgumentParser(prog="make bench-ingest", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=PATH)
    arguments = parser.parse_args()
    command = " ".join(["make bench-ingest", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
    with start("bench-ingest-") as servers:
        results = Results(
            command,
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            [servers.postgres.description().partition(" (")[0], servers.rabbitmq.description().partition(" (")[0]],
            documents_count=arguments.documents,
        )
        measure(servers, arguments.rounds, arguments.documents, results)
    write(results, arguments.output)
    print(arguments.output.read_text())
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
