"""Running the scripts that back up and restore."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.processes import ROOT


def script(name: str, programs: Path, url: str, argument: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of deploy/ with these programs of PostgreSQL."""
    return subprocess.run(
        ["sh", str(ROOT / "deploy" / name), str(argument)],
        env={**os.environ, "DATABASE_URL": url, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
