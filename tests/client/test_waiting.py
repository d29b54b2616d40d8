"""`tm submit --wait` while tasks take their time, and while the service is away."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.command import MODULE, environment, run
from tests.processes import Deployment
from tests.servers import eventually
from tests.test_requirements import ROOT


@pytest.fixture
def tea(tmp_path: Path) -> Path:
    path = tmp_path / "tea.md"
    path.write_text("Green tea is brewed at 80 °C.", encoding="utf-8")
    return path


@contextmanager
def waiting(deployment: Deployment, tea: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The command while it waits for a task that no worker takes yet, and the file that it prints to."""
    output = tea.with_name("output")
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, "submit", str(tea), "--kb", "kb", "--wait"],
            cwd=ROOT,
            env=environment(TM_API_URL=deployment.url),
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
            # A run of the tests in the background hands down that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        eventually(lambda: "queued as task" in output.read_text(), seconds=30, reason="the document is accepted")
        yield process, output
    finally:
        process.kill()
        process.wait()


def test_it_ends_with_124_when_the_time_is_over_and_names_the_task(deployment: Deployment, tea: Path) -> None:
    deployment.start("web")
    done = run("submit", tea, "--kb", "kb", "--timeout", "1.5", TM_API_URL=deployment.url)
    assert done.returncode == 124
    match = re.fullmatch(
        r"tea\.md: not finished yet \(queued, 0 %\); the service goes on with task (\S+)\n", done.stderr
    )
    assert match
    assert f"tea.md: queued as task {match[1]}\n" == done.stdout


def test_ctrl_c_ends_the_waiting_and_not_the_task(deployment: Deployment, tea: Path) -> None:
    deployment.start("web")
    with waiting(deployment, tea) as (process, output):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    assert "tea.md: not finished yet (queued, 0 %); the service goes on with task" in output.read_text()
    assert "Traceback" not in output.read_text()
    assert deployment.http.get("/api/v1/tasks").json()["items"][0]["status"] == "queued"


def test_it_goes_on_waiting_while_the_service_is_restarted(deployment: Deployment, tea: Path) -> None:
    web = deployment.start("web")
    with waiting(deployment, tea) as (process, output):
        web.kill()
        deployment.start("web")
        deployment.start("worker")
        assert process.wait(timeout=60) == 0, output.read_text()
    assert "tea.md: completed in " in output.read_text()
