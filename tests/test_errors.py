"""Each error code has its section of docs/errors.md in both languages; a test earns that of a task by a real one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from errors import CODES, REFUSALS
from tests.test_requirements import ROOT

DOCUMENTS = "tests/reliability/test_bad_documents.py::test_it_fails_with_its_code_and_is_not_tried_in_vain"
PROVIDERS = "tests/reliability/test_replacement.py::test_a_failed_replacement_leaves_the_old_edition_and_nothing_else"
LIFE, DEPENDENCIES = "tests/api/test_lifecycle.py", "tests/tasks/ending/test_dependencies.py"

#: Where a real file, sent to a running service, or a real task ends with each code.
EARNED_BY = {
    "corrupt": DOCUMENTS,
    "encrypted": DOCUMENTS,
    "empty": DOCUMENTS,
    "needs_ocr": DOCUMENTS,
    "too_large": DOCUMENTS,
    "unsupported_format": DOCUMENTS,
    "archive_bomb": DOCUMENTS,
    "undecodable": DOCUMENTS,
    "not_found": DOCUMENTS,
    "forbidden_path": DOCUMENTS,
    "forbidden_url": DOCUMENTS,
    "fetch_failed": DOCUMENTS,
    "embedder_rejected": DOCUMENTS,
    "embedder_unavailable": PROVIDERS,
    "rate_limited": PROVIDERS,
    "timeout": DOCUMENTS,
    "worker_crashed": DOCUMENTS,
    "dependency_failed": f"{LIFE}::test_what_becomes_of_those_that_depend_on_one_that_did_not_complete",
    "expired": f"{DEPENDENCIES}::test_a_task_that_nobody_started_in_time_expires_and_one_that_runs_does_not",
    "cancelled": "tests/documents/sandbox/test_sandbox.py::test_a_cancelled_call_is_killed_at_once",
    "superseded": "tests/tasks/ending/test_overtaking.py::test_a_deletion_ends_what_was_submitted_before",
    "internal": DOCUMENTS,
}

ENGLISH, CHINESE = (ROOT / "docs" / name for name in ("errors.md", "errors.zh.md"))


def sections(page: Path) -> dict[str, str]:
    _, *pieces = re.split(r"^## (.+)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(pieces[::2], [piece.partition("\n# ")[0] for piece in pieces[1::2]], strict=True))


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=lambda page: page.name)
def test_there_is_a_section_for_each_code_and_no_other(page: Path) -> None:
    assert list(sections(page)) == [*CODES, *REFUSALS]
    assert all(f"[{code}](#{code})" in page.read_text(encoding="utf-8") for code in (*CODES, *REFUSALS))


@pytest.mark.parametrize("code", CODES)
def test_its_section_says_in_both_languages_what_the_code_promises(code: str) -> None:
    english, chinese = sections(ENGLISH)[code], sections(CHINESE)[code]
    promised = CODES[code]
    assert promised.meaning in english
    assert promised.hint in english
    assert promised.hint_zh in chinese
    assert ("Retried: yes." in english) is ("自动重试：是。" in chinese) is promised.retried
    assert ("Retried: no." in english) is ("自动重试：否。" in chinese) is not promised.retried
    for part in ("**发生了什么。** ", "**原因。** ", "**如何处理。** "):
        after = chinese.partition(part)[2]
        assert re.search("[\u4e00-\u9fff]", after.partition("**")[0]), f"{part} is not in Chinese"


@pytest.mark.parametrize("code", REFUSALS)
def test_the_section_of_a_refusal_says_in_both_languages_what_it_promises(code: str) -> None:
    english, chinese = sections(ENGLISH)[code], sections(CHINESE)[code]
    promised = REFUSALS[code]
    assert promised.meaning in english
    assert promised.hint in english
    assert promised.hint_zh in chinese
    assert f"**Again: {'yes' if promised.retried else 'no'}.**" in english
    assert f"**可重发：{'是' if promised.retried else '否'}。**" in chinese


@pytest.mark.parametrize("code", CODES)
def test_a_test_earns_it(code: str) -> None:
    assert code in EARNED_BY, f"no test is named in which a real file or task ends with {code}"
    path, _, name = EARNED_BY[code].partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    assert name in {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    assert f'"{code}"' in source
