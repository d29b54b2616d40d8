"""Every snippet of docs/client.md is run, in its order and against a running service."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from task_manager_client import TaskManager
from task_manager_client.command.main import main
from tests.client.conftest import KEY
from tests.processes import EmbeddedDeployment
from tests.test_requirements import ROOT

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_snippets_of_python_run(
    service: EmbeddedDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(SNIPPETS) == 8
    monkeypatch.chdir(tmp_path)
    for name in ("leave.md", "travel.md"):
        Path(name).write_text(f"# {name.title()}\n\nThere are 30 days of leave.\n")
    known: dict[str, object] = {}
    with TaskManager(service.url, KEY) as tm:
        for snippet in SNIPPETS:
            known["tm"] = tm
            exec(snippet.replace("http://localhost:8084", service.url).replace("the-key", KEY), known)
    printed = capsys.readouterr().out
    assert "1 chunks\n" in printed
    assert "There are 30 days of leave." in printed
    assert "travel.md completed" in printed
    assert "leave.md current" in printed
    assert "retry_limit" in printed
    assert "empty Check that the right file was submitted" in printed
    assert known["receive"]({}, b"{}") == 400  # type: ignore[operator]


def test_the_commands_run(
    service: EmbeddedDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (commands,) = COMMANDS
    for name in ("leave.md", "travel.md", "folder/a.txt", "folder/below/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("There are 30 days of leave.\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TM_API_URL", service.url)
    monkeypatch.setenv("TM_API_KEY", KEY)
    for line in commands.splitlines():
        match = re.fullmatch(r"""(?:echo "(.+)" \| |eval "\$\()?tm (.+?)(?:\)"| \|\| true)?""", line)
        assert match, line
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((match[1] or "").encode())))
        assert main(shlex.split(match[2])) == 0 or line.endswith("|| true"), line
    printed = capsys.readouterr().out
    for said in ("below/b.txt: completed in ", "1. ", "Tea is at five.", "callback: goes on", "role operate", "_tm"):
        assert said in printed
