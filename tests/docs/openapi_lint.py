"""`make openapi-lint`: Redocly and Spectral find nothing in the OpenAPI document, by the rules that they recommend."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.described import PRINT
from tests.docs.snippets import packages_of_node
from tests.test_requirements import ROOT

TOOLS = ROOT / "tests" / "docs" / "openapi_lint_tools"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Callable[..., str]]:
    """A folder with the document, and what calls a command there."""
    folder = tmp_path_factory.mktemp("openapi")
    _, call = packages_of_node(TOOLS, folder)
    printed = subprocess.run([sys.executable, "-c", PRINT], cwd=ROOT, capture_output=True, check=True)
    (folder / "openapi.json").write_bytes(printed.stdout.splitlines()[-1])
    return folder, call


def test_redocly_finds_nothing(tools: tuple[Path, Callable[..., str]]) -> None:
    _, call = tools
    call("redocly", "lint", "openapi.json")


def test_spectral_finds_nothing(tools: tuple[Path, Callable[..., str]]) -> None:
    _, call = tools
    call("spectral", "lint", "--fail-severity", "hint", "openapi.json")


@pytest.mark.parametrize("tool", [("redocly", "lint"), ("spectral", "lint")])
def test_an_error_is_found(tools: tuple[Path, Callable[..., str]], tool: tuple[str, str]) -> None:
    folder, call = tools
    text = (folder / "openapi.json").read_text("utf-8")
    (folder / "wrong.json").write_text(
        text.replace('"operationId": "get_task"', '"operationId": "list_tasks"'), "utf-8"
    )
    with pytest.raises(AssertionError, match="operation"):
        call(*tool, "wrong.json")
