"""`make bench`: the service and its peers side by side, into docs/benchmarks.md.

    python -m bench --only single --rounds 1

A part that fails is named in the page, and the others go on; the page is written anew after each.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import pipeline, report, size, throughput
from bench.report import Results
from bench.servers import Servers, servers

PARTS = ("single", "documents", "size")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be said again (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="for which each contestant is submitted to")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=5_000_000, help="ended tasks in the table")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--output", type=Path, default=report.PATH)
    return parser.parse_args()


def main() -> int:
    """Measure and write. Returns 1 where something failed."""
    given = arguments()
    parts: dict[str, Callable[[Servers, Results], None]] = {
        "single": lambda found, results: throughput.measure(
            found, given.rounds, given.seconds, results.throughput, results.failures
        ),
        "documents": lambda found, results: pipeline.measure(found, given.rounds, given.documents, results.documents),
        "size": lambda found, results: size.measure(found, given.pairs, given.rows, given.seconds, results.size),
    }
    command = " ".join(["make bench", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
    with servers("bench-") as found:
        results = Results(
            command,
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            [found.postgres.description().partition(" (")[0], found.rabbitmq.description().partition(" (")[0]],
            documents_count=given.documents,
            rows=given.rows,
        )
        for name, measure in parts.items():
            if given.only and name not in given.only:
                continue
            results.loads.append(os.getloadavg()[0])
            try:
                measure(found, results)
            except Exception as error:
                results.failures.append(f"{name}: {type(error).__name__}: {str(error)[:500]}")
            report.write(results, given.output)
    print(given.output.read_text())
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
