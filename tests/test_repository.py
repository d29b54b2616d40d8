"""What the repository says of itself: its version, its security, and what GitHub runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from settings import VERSION
from tests.test_requirements import ROOT


def test_the_version_is_the_newest_release_of_the_changelog() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == VERSION


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_a_workflow_runs_others_code_only_as_it_was_looked_at(path: Path) -> None:
    text = path.read_text()
    others = [line.strip() for line in text.splitlines() if "uses: " in line and "uses: ./" not in line]
    for line in others:
        assert re.fullmatch(r"(- )?uses: [\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


def test_ci_runs_on_every_python_that_make_takes() -> None:
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    taken = re.findall(
        r"python(3\.\d+)", (ROOT / "Makefile").read_text().partition("for python in")[2].partition(";")[0]
    )
    assert taken
    assert ci["jobs"]["all"]["strategy"]["matrix"]["python"] == taken


def test_what_security_names_exists() -> None:
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ")][1:]
    for row in rows:
        first, *others = re.findall(r"`([^`]+)`", row.rpartition(" | ")[2])
        assert (ROOT / first).exists(), first
        for other in others:
            assert (ROOT / other).exists() or (ROOT / first).with_name(other).exists(), other
