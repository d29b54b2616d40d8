"""Run each target for some seconds; what breaks one is kept in tests/fuzz/corpus, which the tests replay.

python -m tests.fuzz [--seconds 60] [--jobs 1] [target …]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.checks import CHUNKER, CORPUS
from tests.fuzz.seeds import FURTHER, SEEDS

#: Of one target's process.
MEGABYTES = 1500
#: Seconds after which one input counts as a hang.
HANG = 20


def fuzz(target: str, seconds: int) -> tuple[str, int, str]:
    """The target, how its process ended, and the last that it said."""
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{target}-") as folder:
        for name, data in (SEEDS.get(target, {}) | FURTHER.get(target, {})).items():
            (Path(folder) / name).write_bytes(data)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.target", target, folder, str(kept)),
                *(f"-max_total_time={seconds}", f"-rss_limit_mb={MEGABYTES}", f"-timeout={HANG}"),
                *("-max_len=65536", f"-artifact_prefix={kept}/", "-print_final_stats=1"),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if not any(kept.iterdir()):
        kept.rmdir()
    return target, done.returncode, done.stdout + done.stderr


def main() -> int:
    """Fuzz, and print a line for each target. Returns 1 when one was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("targets", nargs="*", default=[*SEEDS, CHUNKER], help=", ".join([*SEEDS, CHUNKER]))
    arguments = parser.parse_args()
    broken = 0
    with ThreadPoolExecutor(arguments.jobs) as threads:
        for target, code, said in threads.map(lambda name: fuzz(name, arguments.seconds), arguments.targets):
            runs = next((line.split()[-1] for line in said.splitlines() if "number_of_executed_units" in line), "0")
            print(f"{target:10} {runs:>9} inputs  {'broken: see below' if code else 'no crash, no hang'}", flush=True)
            if code:
                broken = 1
                print(said[-4000:], flush=True)
    return broken


if __name__ == "__main__":
    sys.exit(main())
