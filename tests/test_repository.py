"""What the repository says of itself: its version, its decisions, and what GitHub runs."""

from __future__ import annotations

import re

from settings import VERSION
from tests.test_requirements import ROOT


def test_the_version_is_the_newest_release_of_the_changelog() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == VERSION
