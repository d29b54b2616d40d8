"""Every snippet of docs/client.md is run, in its order and against a running service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from task_manager_client import TaskManager
from tests.client.conftest import KEY
from tests.processes import EmbeddedDeployment
from tests.test_requirements import ROOT

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
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
    assert "retry_limit" in printed
    assert "empty Check that the right file was submitted" in printed
    assert known["receive"]({}, b"{}") == 400  # type: ignore[operator]
