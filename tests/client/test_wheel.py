"""The client is built as a wheel, and works where nothing else is installed than what the wheel asks for."""

from __future__ import annotations

import re
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

from settings import VERSION
from tests.client.conftest import KEY
from tests.client.wheels import install
from tests.processes import EmbeddedDeployment
from tests.test_requirements import ROOT

#: Submits a document, waits for it, and searches it.
USING = """
import sys
from task_manager_client import TaskManager
with TaskManager(*sys.argv[1:]) as tm:
    task = tm.documents.upload("wheel", b"Green tea.", filename="tea.txt").wait(60).check()
    print(task.status, tm.search("wheel", "tea").hits[0].text)
"""


def test_it_is_of_the_services_version_has_its_types_and_nothing_of_the_service(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [archive.read(name).decode() for name in names if name.endswith("/METADATA")]
    assert re.search(r"^Version: (.+)$", metadata, re.M).group(1) == VERSION  # type: ignore[union-attr]
    assert "task_manager_client/py.typed" in names
    assert f"task_manager_client-{VERSION}.dist-info/licenses/LICENSE" in names
    assert (ROOT / "client" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert {name.partition("/")[0] for name in names} == {
        "task_manager_client",
        f"task_manager_client-{VERSION}.dist-info",
    }
    needed = [line for line in re.findall(r"^Requires-Dist: (.+)$", metadata, re.M) if "extra ==" not in line]
    assert [Requirement(line).name for line in needed] == ["httpx2"]
    assert Requirement(needed[0]).specifier.contains(version("httpx2"))


def test_it_works_in_an_empty_environment(wheel: Path, service: EmbeddedDeployment, tmp_path: Path) -> None:
    python = install(wheel, tmp_path / "empty")
    done = subprocess.run(
        [python, "-I", "-W", "error", "-c", USING, service.url, KEY], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "completed Green tea.\n"), done.stderr
    command = [str(python.with_name("tm")), "list", "--kb", "wheel", "-o", "json"]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"TM_API_URL": service.url, "TM_API_KEY": KEY}
    )
    assert '"completed"' in shown.stdout, shown.stderr
