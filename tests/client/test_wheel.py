"""The client is built as a wheel, and works where nothing else is installed than what the wheel asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from settings import VERSION
from tests.client.conftest import KEY
from tests.processes import EmbeddedDeployment
from tests.test_requirements import ROOT

#: Submits a document, waits for it, and searches it, with nothing on the path but the folder that is named.
USING = """
import sys
sys.path.insert(0, sys.argv[1])
from task_manager_client import TaskManager
with TaskManager(sys.argv[2], sys.argv[3]) as tm:
    task = tm.documents.upload("wheel", b"Green tea.", filename="tea.txt").wait(60).check()
    print(task.status, tm.search("wheel", "tea").hits[0].text)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: what builds leaves files behind."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "client", folder / "client", ignore=shutil.ignore_patterns("__pycache__"))
    backend = "import setuptools.build_meta as backend; backend.build_wheel('..')"
    subprocess.run([sys.executable, "-c", backend], cwd=folder / "client", check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def closure(name: str, found: set[str] | None = None) -> set[str]:
    """A distribution and all that it needs, extras left out."""
    found = set() if found is None else found
    if name not in found:
        found.add(name)
        for line in distribution(name).requires or []:
            wish = Requirement(line)
            if wish.marker is None or wish.marker.evaluate({"extra": ""}):
                closure(wish.name, found)
    return found


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
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    for name in closure("httpx2"):
        for file in distribution(name).files or []:
            if ".." not in file.parts:
                (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), tmp_path / file)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", USING, str(tmp_path), service.url, KEY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "completed Green tea.\n"), done.stderr
