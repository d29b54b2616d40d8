"""What the client and `tm` do not import before they need it, since that is what makes them slow to start."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.test_requirements import ROOT

#: Prints what a statement imports. Without `site`, nothing is imported already, and nothing but the standard library
#: is there: what needs another package fails.
TOLD = """
import sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
try:
    exec(sys.argv[2])
except SystemExit as end:
    assert not end.code, end.code
imported = sorted(set(sys.modules) - before)
import json
print(json.dumps(imported), file=sys.stderr)
"""
#: Each of them takes milliseconds, alone or by what it imports.
SLOW = {
    *("asyncio", "concurrent", "email", "http", "logging", "multiprocessing", "shutil", "socket", "ssl", "subprocess"),
    *("tempfile", "unittest", "xml", "zipfile", "httpx2", "httpcore2", "anyio", "rich", "pydantic"),
}
HELP = "import sys; sys.argv[1:] = ['--help']; from task_manager_client.command.main import run; run()"


@pytest.mark.parametrize(
    ("statement", "ours"),
    [
        ("import task_manager_client", {"errors"}),
        (HELP, {"errors", "command", "command.main", "command.arguments"}),
        ("from task_manager_client import TaskManager", None),
        ("from task_manager_client import Task, verify_webhook, TaskFailed", None),
    ],
)
def test_what_is_slow_is_imported_by_what_needs_it(statement: str, ours: set[str] | None) -> None:
    command = [sys.executable, "-I", "-S", "-c", TOLD, str(ROOT / "client"), statement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stderr)
    assert {name.partition(".")[0] for name in imported} & SLOW == set()
    parts = {name.partition(".")[2] for name in imported if name.startswith("task_manager_client.")}
    assert not {name for name in parts if name.startswith(("async_", "command.verbs"))}
    if ours is not None:
        assert parts == ours
