"""The web process as gunicorn runs it."""

from __future__ import annotations

import json
import subprocess

from tests.processes import ROOT, Deployment, procfile


def test_a_connection_that_is_kept_open_does_not_hold_up_a_stop(deployment: Deployment) -> None:
    web = deployment.start("web")
    assert deployment.http.get("/livez").status_code == 200
    assert web.terminate() < 5


def test_every_line_of_its_log_is_json(deployment: Deployment) -> None:
    web = deployment.start("web")
    web.terminate()
    lines = [json.loads(line) for line in web.log.splitlines()]
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(line) for line in lines))
    assert any(line["event"].startswith("Listening at") for line in lines)


def test_a_wrong_setting_stops_it_with_one_line(deployment: Deployment) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", procfile()["web"]],
        cwd=ROOT,
        env={**deployment.environment, "PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stdout + done.stderr == (
        "task-manager: PORT: input should be a valid integer, unable to parse string as an integer. "
        "Example: PORT=8084\n"
    )
