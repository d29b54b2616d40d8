"""What is installed is pinned, the same for every process, and free to use."""

from __future__ import annotations

import ast
import re
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
SETS = ("base", "web", "rpc", "worker", "clock", "client", "model", "otel", "s3", "embedded", "dev")

#: Licences that let the service be used, changed, sold and hosted by anybody. Compared without case.
PERMISSIVE = {
    "0bsd", "apache-2.0", "apache software license", "apache 2.0", "bsd", "bsd license", "bsd-2-clause",
    "bsd-3-clause", "3-clause bsd license", "cc0-1.0",
    "isc", "isc license", "isc license iscl", "mit", "mit license", "psf-2.0",
    "python software foundation license", "zlib",
}  # fmt: skip

#: Distributions whose metadata say something else, and why they may be used all the same.
EXCEPTIONS = {
    "dramatiq": "LGPL-3.0-or-later; imported and subclassed, not copied; asked for by name",
    "psycopg2-binary": "LGPL-3.0-or-later with exceptions; imported, not changed; asked for by name",
    "certifi": "MPL-2.0, a list of certificates; not changed",
    "tqdm": "MPL-2.0 and MIT; comes with the Cohere SDK, not changed",
    "axe-playwright-python": "MIT, with axe-core under MPL-2.0; a tool of the tests, not deployed",
    "kubernetes-validate": "Apache, as it says itself: Apache-2.0 by its repository; a tool of the tests, not deployed",
    "hypothesis": "MPL-2.0; a tool of the tests, not deployed",
    "pathspec": "MPL-2.0; a tool of the type checker, not deployed",
    "pypdfium2": "BSD-3-Clause, Apache-2.0 and the permissive licences of what PDFium is built from",
}


#: What is run, not imported.
#: zoneinfo looks into tzdata where the system has no zones.
TAKEN_BY_OTHERS = {"tzdata"}
COMMANDS = {
    "buf-bin",
    "coverage",
    "mypy",
    "pip-tools",
    "pytest-timeout",
    "ruff",
    "squawk-cli",
    "types-jsonschema",
    "types-protobuf",
    "types-pyyaml",
}


def normal(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str) -> dict[str, str]:
    """The versions that requirements/NAME.txt pins, by distribution."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def asked_for(name: str) -> list[Requirement]:
    """What requirements/NAME.in asks for, those it includes as well."""
    wishes = []
    for line in (ROOT / "requirements" / f"{name}.in").read_text().splitlines():
        wish = line.partition("#")[0].strip()
        if wish.startswith("-r "):
            wishes += asked_for(wish.removeprefix("-r ").removesuffix(".in"))
        elif wish:
            wishes.append(Requirement(wish))
    return wishes


def imports(path: Path) -> set[str]:
    """The top-level names that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: say where from: no relative imports here"
            assert not node.level, f"{path}: say where from: no relative imports here"
            names.add(node.module.partition(".")[0])
    return names


def licences(package: Distribution) -> set[str]:
    """Each licence that a distribution names, in small letters; a choice between several counts as all."""
    metadata: Any = package.metadata
    expression = metadata.get("License-Expression") or ""
    if not expression:
        classifiers = metadata.get_all("Classifier") or []
        # "DFSG approved" is Debian's verdict, not a licence.
        named = {classifier.rpartition(" :: ")[2] for classifier in classifiers if classifier.startswith("License ::")}
        expression = " AND ".join(named - {"DFSG approved"}) or metadata.get("License", "")
    parts = re.split(r" AND | OR |;|, ", re.sub(r"[()]", "", expression))
    return {part.strip().lower() for part in parts if part.strip()}


@pytest.mark.parametrize("name", SETS)
def test_every_pin_has_hashes_and_nothing_says_where_it_came_from(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    blocks = re.findall(
        r"^[a-z0-9-]+==\S+(?: ; [^\\\n]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+$", text, re.MULTILINE
    )
    assert len(blocks) == len(pins(name)) == len(re.findall(r"^[^\s#]", text, re.MULTILINE))
    assert not re.search(r"https?://|file://|@ |--index|--find-links|--trusted-host", text)


@pytest.mark.parametrize("name", SETS)
def test_what_is_pinned_is_what_is_asked_for(name: str) -> None:
    pinned = pins(name)
    for wish in asked_for(name):
        version = pinned.get(normal(wish.name))
        assert version, f"{wish} of {name}.in is not in {name}.txt: run `make requirements`"
        assert wish.specifier.contains(version), f"{name}.txt has {version}, {name}.in asks for {wish}"


def test_all_sets_agree_on_every_version() -> None:
    everything = pins("dev")
    for name in SETS:
        assert pins(name).items() <= everything.items(), f"{name}.txt differs from dev.txt"


def test_nothing_is_asked_for_that_nobody_imports() -> None:
    installed = {".venv", ".venv-bench"}
    imported = set().union(*(imports(path) for path in ROOT.rglob("*.py") if installed.isdisjoint(path.parts)))
    owners = packages_distributions()
    used = {normal(name) for module in imported for name in owners.get(module, [])}
    assert {normal(wish.name) for wish in asked_for("dev")} - used == COMMANDS | TAKEN_BY_OTHERS


def test_processes_that_serve_http_or_time_carry_no_reader_of_documents() -> None:
    heavy = {"pypdfium2", "lxml", "selectolax", "numpy", "rjieba", "cohere", "python-calamine", "xlrd"}
    assert heavy.isdisjoint(pins("web"))
    assert heavy.isdisjoint(pins("clock"))
    assert "dramatiq" not in pins("client")
    assert "sqlalchemy" not in pins("client")


def test_every_licence_is_permissive_or_named_as_an_exception() -> None:
    refused = {}
    for name in pins("dev"):
        named = licences(distribution(name))
        if normal(name) not in EXCEPTIONS and not (named and named <= PERMISSIVE):
            refused[name] = sorted(named)
    assert refused == {}


def test_no_licence_asks_for_the_source_of_a_service() -> None:
    strong = re.compile(r"\bA?GPL|Affero|(?<!Lesser )General Public", re.IGNORECASE)
    for name in pins("dev"):
        metadata: Any = distribution(name).metadata
        names = [metadata.get("License-Expression") or "", (metadata.get("License") or "")[:200]]
        names += [classifier for classifier in metadata.get_all("Classifier") or [] if classifier.startswith("License")]
        assert not strong.search(" ".join(names).replace("Library or Lesser", "Lesser")), f"{name}: {names}"
