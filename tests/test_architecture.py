"""Imports point down only, and one word names a stage everywhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import pipeline
from broker import topology
from tasks.types import all_stages, all_types
from tests.test_requirements import ROOT, imports, normal, pins

LEAVES = {"addresses", "errors", "keys", "metrics", "pipeline", "processes", "sentences", "settings"}
SHELF = LEAVES | {"logs", "outbound", "tracing"}
BELOW_WORKER = SHELF | {"models", "broker", "tasks", "documents"}

#: What each room may import of ours. Rooms of one line never import each other.
MAY_IMPORT: dict[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "addresses": {"sentences"},
    "keys": {"sentences"},
    "settings": {"addresses", "keys", "sentences"},
    "logs": {"settings"},
    "tracing": {"settings"},
    "outbound": LEAVES,
    "models": SHELF,
    "broker": SHELF,
    "tasks": SHELF | {"models", "broker"},
    "documents": SHELF | {"models"},
    "api": BELOW_WORKER,
    "worker": BELOW_WORKER,
    "actors": BELOW_WORKER | {"worker"},
    "clock": BELOW_WORKER,
    "dashboard": BELOW_WORKER | {"api"},
    "web": BELOW_WORKER | {"api", "dashboard"},
    "rpc": BELOW_WORKER | {"api", "dashboard"},
    "embedded": BELOW_WORKER | {"api", "dashboard", "worker", "clock", "rpc"},
    "task_manager_client": set(),
    "demo": {"processes", "task_manager_client"},
    "samples": set(),
}

#: What the boxes of a room, its modules and the rooms in it, may import of each other.
WITHIN: dict[str, dict[str, set[str]]] = {
    "api": {
        **{leaf: set() for leaf in ("bulkheads", "connection", "counting", "description", "front", "problems")},
        "forms": {"problems"},
        "requests": {"bulkheads", "problems"},
        "access": {"bulkheads", "counting", "problems", "requests"},
        "streams": {"bulkheads", "requests"},
        "resources": {"access", "bulkheads", "counting", "description", "forms", "problems", "requests", "streams"},
        "app": {"access", "resources", "bulkheads", "counting", "description", "problems", "streams"},
    },
    "tasks": {
        **{leaf: set() for leaf in ("lifecycle", "process")},
        "input": {"lifecycle"},
        "types": {"input"},
        "transitions": {"lifecycle"},
        "transactions": {"process", "types"},
        "dispatching": {"transitions", "transactions", "lifecycle", "types"},
        "ending": {"transitions", "dispatching", "transactions", "lifecycle", "process", "types", "input"},
        "accepting": {"ending", "dispatching", "transactions", "lifecycle", "types", "input"},
        "working": {
            "transitions",
            "accepting",
            "ending",
            "dispatching",
            "transactions",
            "lifecycle",
            "process",
            "types",
        },
        "bulk": {"accepting", "transitions", "ending", "transactions", "lifecycle", "types", "input", "views"},
        "views": {"dispatching", "transitions", "transactions", "lifecycle", "types", "input"},
    },
    "dashboard": {
        **{leaf: set() for leaf in ("words", "compression", "preferences", "waterfall", "live")},
        "static": {"compression"},
        "viewer": {"words"},
        "rendering": {"static", "viewer", "words"},
        "page": {"compression", "live", "rendering", "viewer"},
        "pages": {"compression", "page", "waterfall", "words"},
        "failures": {"page", "preferences", "viewer"},
        "routes": {"failures", "pages", "preferences", "static"},
    },
    "rpc": {
        **{leaf: set() for leaf in ("generated", "application", "messages", "events", "statuses", "uploads")},
        **{command: set() for command in ("generate", "alive")},
        "methods": {"generated"},
        "calls": {"application", "events", "messages", "methods", "statuses", "uploads"},
        "server": {"application", "calls", "methods"},
        "__main__": {"server"},
    },
    "documents": {
        "text": set(),
        "splitting": {"text"},
        "reading": {"text"},
        "readers": {"text", "reading"},
        "embedding": {"splitting"},
        "sandbox": {"text", "reading", "splitting"},
        "files": {"text", "sandbox"},
        "storing": {"text", "splitting"},
        "searching": {"splitting", "embedding", "storing"},
        "preview": {"text", "splitting", "sandbox"},
    },
    "task_manager_client": {
        "errors": set(),
        "core": {"errors"},
        "answers": {"core", "errors"},
        "calls": {"answers", "core", "errors"},
        "webhooks": {"answers", "core", "errors"},
        "transport": {"core", "errors"},
        "async_transport": {"core", "errors", "transport"},
        "handles": {"answers", "calls", "transport"},
        "async_handles": {"answers", "calls", "async_transport"},
        "client": {"answers", "calls", "core", "handles", "transport"},
        "async_client": {"answers", "calls", "core", "async_handles", "async_transport", "transport"},
        "command": {"answers", "async_client", "calls", "client", "core", "errors", "transport"},
    },
    "task_manager_client.command": {
        **{leaf: set() for leaf in ("arguments", "output", "sources")},
        "complaints": {"output"},
        "hits": {"output"},
        "processes": {"complaints"},
        "submitting": {"sources"},
        "progress": {"submitting"},
        "summary": {"complaints", "submitting"},
        "values": {"sources"},
        "main": {"arguments", "complaints", "sources"},
        "verbs": {
            *("arguments", "complaints", "hits", "main", "output", "processes"),
            *("progress", "sources", "submitting", "summary", "values"),
        },
    },
    "processes": {
        **{leaf: set() for leaf in ("ending", "frames")},
        "channel": {"frames"},
    },
    "documents.readers": {
        "shared": set(),
        **{family: {"shared"} for family in ("image", "rtf", "sheets", "web")},
        **{family: {"shared", "sheets"} for family in ("office", "pdf", "text")},
        "legacy": {"shared", "office"},
    },
}

#: Rooms that lie in the folder of a project of their own.
PLACES = {"task_manager_client": "client"}

#: What one can look at without getting lost; models/ has a box for each table.
MOST_BOXES, MOST_FUNCTION_LINES, MOST_FILE_LINES = 12, 50, 400
UNCOUNTED = {"models"}

#: What each process imports, and the requirements it is deployed with.
PROCESSES = {
    "release": ("base", "import models, models.database, alembic.config"),
    "web": (
        "web",
        "import api.connection; from api.app import create_app; from dashboard.routes import pages; import settings;"
        "create_app(settings.settings(), pages())",
    ),
    "worker": ("worker", "import worker.boot, documents.reading.extraction, documents.splitting.chunking"),
    "clock": ("clock", "import clock; clock.Timetable()"),
    "client": (
        "client",
        "import sys; sys.path.insert(0, 'client');"
        "from task_manager_client.command.verbs import completion, doctor, documents, operations, search, submit;"
        "from task_manager_client.command.verbs import tasks, workers",
    ),
    "rpc": ("rpc", "import rpc.__main__, rpc.alive"),
}

#: What a function sets anew for its whole process, and why it is no object that is handed on.
GLOBALS = {
    "clock.py": "when it last ticked: its entries are functions, which APScheduler calls",
    "embedded.py": "a lock that is held until the process ends",
    "logs.py": "where lines are written",
    "models/base.py": "the last id: those of a process rise, whoever makes one",
    "models/database.py": "the only engine",
    "models/replica.py": "the only replica",
    "tasks/dispatching/concurrency.py": "a hint that the next transaction of any thread goes by",
    "tasks/process.py": "the id of the process, of which a fork has its own",
    "tasks/transactions/unit.py": "the only broker",
    "tracing.py": "where spans are sent",
}

#: How often each room may say `Any`; it is only ever lowered. Others may not at all. What is left is mostly of
#: libraries without types, of JSON that is not ours to know, and of pydantic's and Falcon's own signatures.
MOST_ANYS = {
    "api": 54,
    "broker": 14,
    "dashboard": 2,
    "documents": 44,
    "logs": 2,
    "models": 16,
    "outbound": 3,
    "rpc": 32,
    "task_manager_client": 95,
    "tasks": 16,
    "worker": 9,
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


def files(root: Path, room: str) -> list[Path]:
    """The files of a room: one, or all that its folder holds."""
    place = root / PLACES.get(room, "")
    alone = place / f"{room}.py"
    return [alone] if alone.exists() else sorted((place / room).rglob("*.py"))


def turned_round(root: Path) -> list[str]:
    """Each import below `root` that does not point down."""
    wrong = []
    for room, allowed in MAY_IMPORT.items():
        for path in files(root, room):
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


@cache
def modules(root: Path) -> dict[str, set[str]]:
    """The modules of each module's imports, also of those for types only; packages of ours alone."""
    known = {
        ".".join(path.relative_to(root / PLACES.get(room, "")).with_suffix("").parts).removesuffix(".__init__"): path
        for room in MAY_IMPORT
        for path in files(root, room)
    }
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= inner & known.keys() or {node.module}
        graph[name] = names & known.keys() - {name}
    return graph


def boxes(graph: dict[str, set[str]]) -> dict[str, dict[str, set[str]]]:
    """For each room its boxes, and for each of these the boxes beside it that it imports from."""
    rooms: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, imported in graph.items():
        parts = name.split(".")
        for depth in range(1, len(parts)):
            rooms[".".join(parts[:depth])][parts[depth]] |= set()
        for other in imported:
            others = other.split(".")
            depth = next((at for at, (one, two) in enumerate(zip(parts, others, strict=False)) if one != two), 0)
            if depth:
                rooms[".".join(parts[:depth])][parts[depth]].add(others[depth])
    return rooms


def turned_round_within(root: Path) -> list[str]:
    """Each import within a room that does not point down, and each box that nothing says the arrows of."""
    rooms = boxes(modules(root))
    return [
        f"{room}.{box} imports {room}.{other}, which it may not" if other else f"{room}.{box} is not known here"
        for room, allowed in WITHIN.items()
        for box, imported in sorted(rooms[room].items())
        for other in (sorted(imported - allowed[box]) if box in allowed else [""])
    ]


def test_imports_within_a_room_point_down_only() -> None:
    assert turned_round_within(ROOT) == []


def test_an_arrow_within_a_room_that_is_turned_round_is_found(tmp_path: Path) -> None:
    (tmp_path / "documents" / "reading").mkdir(parents=True)
    (tmp_path / "documents" / "storing").mkdir()
    (tmp_path / "documents" / "reading" / "archive.py").write_text("from documents.storing import index\n")
    (tmp_path / "documents" / "storing" / "index.py").write_text("")
    (tmp_path / "documents" / "attic.py").write_text("")
    assert turned_round_within(tmp_path) == [
        "documents.attic is not known here",
        "documents.reading imports documents.storing, which it may not",
    ]


def overfull(root: Path) -> list[str]:
    """Each room with too many boxes side by side."""
    counts = {room: len(inner) for room, inner in boxes(modules(root)).items() if room not in UNCOUNTED}
    return [f"{room} has {count} boxes" for room, count in counts.items() if count > MOST_BOXES]


def test_no_room_has_more_boxes_than_one_can_look_at() -> None:
    assert overfull(ROOT) == []


def test_an_overfull_room_is_found(tmp_path: Path) -> None:
    for room, count in {"documents": 13, "broker": 12, "models": 30}.items():
        (tmp_path / room).mkdir()
        for number in range(count):
            (tmp_path / room / f"box{number}.py").write_text("")
    assert overfull(tmp_path) == ["documents has 13 boxes"]


def too_long(root: Path) -> list[str]:
    """Each function and each file that has too many lines."""
    wrong = []
    for path in (path for room in MAY_IMPORT for path in files(root, room)):
        source = path.read_text(encoding="utf-8")
        if (lines := source.count("\n")) > MOST_FILE_LINES:
            wrong.append(f"{path.relative_to(root)} has {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    wrong.append(f"{path.relative_to(root)}: {node.name} has {lines} lines")
    return wrong


def test_no_function_and_no_file_is_too_long() -> None:
    assert too_long(ROOT) == []


def test_what_is_too_long_is_found(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text("async def tick():\n" + "    pass\n" * 50)
    (tmp_path / "logs.py").write_text("def log():\n" + "    pass\n" * 49 + "\n" * 351)
    assert too_long(tmp_path) == ["logs.py has 401 lines", "clock.py: tick has 51 lines"]


def with_globals(root: Path) -> set[str]:
    """The files in which a function sets what belongs to its module."""
    paths = [path for room in MAY_IMPORT for path in (root / f"{room}.py", *(root / room).rglob("*.py"))]
    return {
        str(path.relative_to(root))
        for path in paths
        if path.exists() and any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    }


def test_state_of_a_whole_process_is_named_here_with_its_reason() -> None:
    assert with_globals(ROOT) == GLOBALS.keys()


def test_state_of_a_whole_process_is_found(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "pace.py").write_text("def note():\n    global last\n    last = 1\n")
    assert with_globals(tmp_path) == {"tasks/pace.py"}


def anys(root: Path) -> dict[str, int]:
    """How often each room says `Any`."""
    counts = {}
    for room in MAY_IMPORT:
        paths = [path for path in files(root, room) if "generated" not in path.parts]
        trees = [ast.parse(path.read_text("utf-8")) for path in paths]
        counts[room] = sum(isinstance(node, ast.Name) and node.id == "Any" for tree in trees for node in ast.walk(tree))
    return counts


def test_no_room_says_any_more_often_than_before() -> None:
    counts = anys(ROOT)
    assert {room: count for room, count in counts.items() if count > MOST_ANYS.get(room, 0)} == {}


def test_a_new_any_is_found(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "work.py").write_text("from typing import Any\ndef note(row: dict[str, Any]) -> Any: ...\n")
    assert anys(tmp_path)["tasks"] == 2


#: What is neither a thing nor what is done, and so no name.
NO_NAMES = frozenset(("each", "found", "given", "told"))


def misnamed(root: Path) -> list[str]:
    """The variables, parameters and functions that such a word names."""
    wrong = []
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0].startswith(".") or "generated" in place.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                    wrong += [f"{place}: {name}"] if name in NO_NAMES else []
    return wrong


def test_things_are_named_by_nouns() -> None:
    assert misnamed(ROOT) == []


def test_a_name_that_is_no_noun_is_found(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "work.py").write_text("def told(given):\n    return [each for each in given]\n")
    assert sorted(misnamed(tmp_path)) == [f"tasks/work.py: {name}" for name in ("each", "given", "told")]


def test_no_two_modules_need_each_other() -> None:
    TopologicalSorter(modules(ROOT)).prepare()


def test_no_two_boxes_of_a_room_need_each_other() -> None:
    for inner in boxes(modules(ROOT)).values():
        TopologicalSorter(inner).prepare()


def test_every_update_of_a_task_or_a_shard_stands_in_one_place() -> None:
    updating = re.compile(r"UPDATE (tasks|shards)\b")
    rooms = [path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py")]
    folders = {path.parent for path in rooms if updating.search(path.read_text(encoding="utf-8"))}
    assert [str(folder.relative_to(ROOT)) for folder in folders] == ["tasks/transitions"]


def test_a_circle_of_boxes_is_found(tmp_path: Path) -> None:
    for name, line in {
        "reading/a": "from documents.storing import b",
        "reading/c": "",
        "storing/b": "",
        "storing/d": "import documents.reading.c",
    }.items():
        path = tmp_path / "documents" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{line}\n")
    TopologicalSorter(modules(tmp_path)).prepare()
    with pytest.raises(CycleError, match="reading"):
        TopologicalSorter(boxes(modules(tmp_path))["documents"]).prepare()


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


def astray(root: Path) -> list[str]:
    """Each folder of a room's tests that the room does not have, and each test that is not where its module is.

    A test may be named for what it tries; one that is named as a module of its room is looked for where that is.
    """
    wrong = []
    for room in MAY_IMPORT.keys() - PLACES.keys():
        tests = sorted((root / "tests" / room).rglob("test_*.py"))
        for folder in sorted({path.parent.relative_to(root / "tests") for path in tests}):
            if not (root / folder).is_dir():
                wrong.append(f"tests/{folder} is for a room that is not there")
        for path in tests:
            modules = {module.parent for module in (root / room).rglob(path.name.removeprefix("test_"))}
            if modules and root / path.parent.relative_to(root / "tests") not in modules:
                wrong.append(f"{path.relative_to(root)} is not where its module is")
    return wrong


def test_a_test_is_found_where_its_module_is() -> None:
    assert astray(ROOT) == []


def test_a_test_that_is_astray_is_found(tmp_path: Path) -> None:
    for name in (
        *("tasks/working/claim.py", "tasks/lifecycle.py", "tests/tasks/test_claim.py", "tests/tasks/test_lifecycle.py"),
        *("tests/tasks/working/test_many_at_once.py", "tests/tasks/attic/test_chest.py", "tests/docs/test_pages.py"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert astray(tmp_path) == [
        "tests/tasks/attic is for a room that is not there",
        "tests/tasks/test_claim.py is not where its module is",
    ]


@pytest.mark.parametrize("name", sorted(all_stages()))
def test_a_stage_has_its_module_its_queue_and_its_test(name: str) -> None:
    stage = all_stages()[name]
    assert list((ROOT / "actors").rglob(f"{name}.py")), f"there is no actors/…/{name}.py"
    assert stage.queue in topology.QUEUES
    assert list((ROOT / "tests").rglob(f"test_{name}.py")), f"there is no tests/…/test_{name}.py"


def test_the_stages_of_a_document_are_listed_in_one_place() -> None:
    every = re.compile(r"\W+".join(pipeline.STAGES))
    paths = [
        path for folder in (*MAY_IMPORT, "tests") for path in (ROOT / f"{folder}.py", *(ROOT / folder).rglob("*.py"))
    ]
    listing = {str(path.relative_to(ROOT)) for path in paths if path.exists() and every.search(path.read_text("utf-8"))}
    assert listing == {"actors/document/single_pass.py"}, "pipeline.py has their names"


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


def test_each_decision_has_a_status_a_date_and_its_line_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    lines = []
    for path in sorted(folder.glob("[0-9]*.md")):
        title, _, status = path.read_text().splitlines()[:3]
        match = re.fullmatch(r"Status: ((?:accepted|superseded by \[).*) · (\d{4}-\d\d-\d\d)", status)
        assert match, (
            f"{path.name}: below its title stands `Status: accepted · YYYY-MM-DD`, or what it is superseded by"
        )
        lines.append(f"| [{path.name[:4]}]({path.name}) | {title.removeprefix('# ')} | {match[2]} | {match[1]} |")
        for other in re.findall(r"\]\((\d{4}-[^)]+)\)", status):
            assert path.name in (folder / other).read_text(), f"{other} says nothing of {path.name}"
    index = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("| [")]
    assert index == lines
    numbers = [int(line[3:7]) for line in lines]
    assert len(set(numbers)) == len(numbers), "two decisions have one number"
    # Two that are made at the same time may land in either order.
    assert len(numbers) >= max(numbers) - 3, "numbers of decisions are missing"


def test_where_things_are_is_where_they_are() -> None:
    """Each file and each name that CONTRIBUTING.md leads to is there."""
    rows = re.findall(r"^\| [^|]*\? \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M)
    assert len(rows) >= 10
    for row in rows:
        for place in row.split(";"):
            path, *names = re.findall(r"`([^`]+)`", place)
            assert (ROOT / path).exists(), path
            for name in names:
                named = re.search(rf"^(class |def |async def )?{name}\b", (ROOT / path).read_text("utf-8"), re.M)
                assert named, (path, name)
