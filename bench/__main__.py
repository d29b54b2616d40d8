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
from bench.servers import Servers, start

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
    options = arguments()
    parts: dict[str, Callable[[Servers, Results], None]] = {
        "single": lambda servers, results: throughput.measure(
            servers, options.rounds, options.seconds, results.throughput, results.failures
        ),
        "documents": lambda servers, results: pipeline.measure(
            servers, options.rounds, options.documents, results.documents
        ),
        "size": lambda servers, results: size.measure(
            servers, options.pairs, options.rows, options.seconds, results.size
        ),
    }
    command = " ".join(["make bench", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
    with start("bench-") as servers:
        results = Results(
            command,
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            [servers.postgres.description().partition(" (")[0], servers.rabbitmq.description().partition(" (")[0]],
            documents_count=options.documents,
            rows=options.rows,
        )
        for name, measure in parts.items():
            if options.only and name not in options.only:
                continue
            results.loads.append(os.getloadavg()[0])
            try:
                measure(servers, results)
            except Exception as error:
                results.failures.append(f"{name}: {type(error).__name__}: {str(error)[:500]}")
            report.write(results, options.output)
    print(options.output.read_text())
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
