"""Imports point down only, and one word names a stage everywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from broker import topology
from tasks.types import all_stages, all_types
from tests.test_requirements import ROOT, imports, normal, pins

LEAVES = {"errors", "metrics", "settings"}
SHELF = LEAVES | {"logs", "outbound"}
BELOW_ACTORS = SHELF | {"models", "broker", "tasks", "documents"}

#: What each room may import of ours. Rooms of one line never import each other.
MAY_IMPORT: dict[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "logs": {"settings"},
    "outbound": LEAVES,
    "models": SHELF,
    "broker": SHELF,
    "tasks": SHELF | {"models", "broker"},
    "documents": SHELF | {"models"},
    "api": BELOW_ACTORS,
    "actors": BELOW_ACTORS,
    "clock": BELOW_ACTORS,
    "embedded": BELOW_ACTORS | {"api", "actors", "clock"},
    "client": set(),
    "demo": {"client"},
    "samples": set(),
}

#: What each process imports, and the requirements it is deployed with.
PROCESSES = {
    "release": ("base", "import models, models.database, alembic.config"),
    "web": ("web", "import api.app; from settings import settings; api.app.create_app(settings())"),
    "worker": ("worker", "import actors.worker, documents.reading.extraction, documents.splitting.chunking"),
    "clock": ("clock", "import clock; clock.Timetable()"),
    "client": ("client", "import client.__main__"),
}

WITHOUT = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is not in the requirements of this process", name=name)
sys.meta_path.insert(0, Absent())
{statement}
"""


def turned_round(root: Path) -> list[str]:
    """Each import below `root` that does not point down."""
    wrong = []
    for room, allowed in MAY_IMPORT.items():
        files = [root / f"{room}.py"] if (root / f"{room}.py").exists() else sorted((root / room).rglob("*.py"))
        for path in files:
            for name in sorted((imports(path) & MAY_IMPORT.keys()) - allowed - {room}):
                wrong.append(f"{path.relative_to(root)} imports {name}, which {room} may not")
    return wrong


def test_imports_point_down_only() -> None:
    assert turned_round(ROOT) == []


def test_an_arrow_that_is_turned_round_is_found(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "task.py").write_text("def late():\n    from tasks.lifecycle import ENDED\n")
    (tmp_path / "settings.py").write_text("import metrics\n")
    assert turned_round(tmp_path) == [
        "settings.py imports metrics, which settings may not",
        "models/task.py imports tasks, which models may not",
    ]


def modules(root: Path) -> dict[str, set[str]]:
    """The modules of each module's imports, also of those for types only; packages of ours alone."""
    paths = [path for room in MAY_IMPORT for path in (root / f"{room}.py", *(root / room).rglob("*.py"))]
    known = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
        if path.exists()
    }
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        nodes = list(ast.walk(ast.parse(path.read_text())))
        told = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                told |= inner & known.keys() or {node.module}
        found[name] = told & known.keys() - {name}
    return found


def test_no_two_modules_need_each_other() -> None:
    TopologicalSorter(modules(ROOT)).prepare()


def test_a_circle_is_found(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "work.py").write_text("from tasks import shards\n")
    (tmp_path / "tasks" / "shards.py").write_text("if TYPE_CHECKING:\n    from tasks.work import Claim\n")
    with pytest.raises(CycleError, match=r"tasks\.work"):
        TopologicalSorter(modules(tmp_path)).prepare()


def test_every_room_is_known_here() -> None:
    files = {path.stem for path in ROOT.glob("*.py")} - {"gunicorn.conf"}
    folders = {path.parent.name for path in ROOT.glob("*/*.py") if not path.parent.name.startswith(".")}
    assert files | folders - {"alembic", "tests", "bench"} <= MAY_IMPORT.keys()


@pytest.mark.parametrize("name", sorted(all_stages()))
def test_a_stage_has_its_module_its_queue_and_its_test(name: str) -> None:
    stage = all_stages()[name]
    assert (ROOT / "actors" / f"{name}.py").exists()
    assert stage.queue in topology.QUEUES
    assert list((ROOT / "tests").rglob(f"test_{name}.py")), f"there is no tests/…/test_{name}.py"


def test_each_stage_of_the_pipeline_has_a_queue_of_its_own() -> None:
    stages = all_types()["document_processing"].stages
    assert [stage.queue for stage in stages] == [stage.name for stage in stages]


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_starts_with_its_own_requirements_alone(process: str) -> None:
    requirements, statement = PROCESSES[process]
    allowed = {normal(name) for name in pins(requirements)}
    blocked = {
        module
        for module, distributions in packages_distributions().items()
        if not any(normal(distribution) in allowed for distribution in distributions)
    }
    assert {"pytest", "hypothesis"} <= blocked
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(blocked=blocked, statement=statement)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
