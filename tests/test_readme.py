"""The README names every setting with its default, and points at nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from settings import ALIASES, Settings
from tests.test_requirements import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def table() -> dict[str, str]:
    """Each variable of the table of settings, and its default as the table says it."""
    found = {}
    for line in README.partition("## Settings")[2].partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            names, default, _ = (cell.strip() for cell in line.strip("|").split("|"))
            found.update(dict.fromkeys(re.findall(r"`([A-Z_]+)`", names), default))
    return found


def test_every_setting_is_in_the_table() -> None:
    own = {"HOST", "FORWARDED_ALLOW_IPS"}  # read where they are used
    assert {*(name.upper() for name in Settings.model_fields), *ALIASES, *own} == set(table())


def test_defaults_are_those_of_the_code() -> None:
    told = table()
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, (int, float, str)):
            assert told[name.upper()] == str(field.default), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page}: {target}"


def absent(text: str) -> list[str]:
    """The files of ours that a text names and that are not there; NAME stands for any."""
    rooms = {path.parent.name for path in ROOT.glob("*/*.py")} | {"alembic", "deploy", "docs"}
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text)
    ours = [path for path in named if path.partition("/")[0] in rooms and not re.search("[A-Z]{3}", path)]
    return [path for path in ours if not (ROOT / path).exists()]


#: The history names what was, and a worked example what is to be written.
PRESENT = [page for page in PAGES if page.name not in ("CHANGELOG.md", "task-types.md")]


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page: Path) -> None:
    assert absent(page.read_text(encoding="utf-8")) == []


def test_a_file_that_is_not_there_is_found() -> None:
    assert absent("`api/app.py`, `api/nowhere.py`, `docs/`, `nothing/of/ours.py`, `actors/NAME.py`") == [
        "api/nowhere.py"
    ]
