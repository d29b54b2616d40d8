"""No page points at anything that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_requirements import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


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


#: The history names what was, and worked examples what is to be written.
EXAMPLES = ("CHANGELOG.md", "task-types.md", "task-types.zh.md", "extend.md", "extend.zh.md")
PRESENT = [page for page in PAGES if page.name not in EXAMPLES]


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page: Path) -> None:
    assert absent(page.read_text(encoding="utf-8")) == []


def test_a_file_that_is_not_there_is_found() -> None:
    assert absent("`api/app.py`, `api/nowhere.py`, `docs/`, `nothing/of/ours.py`, `actors/NAME.py`") == [
        "api/nowhere.py"
    ]
