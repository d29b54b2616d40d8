"""The worked example of docs/task-types.md, put into a deployment as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.reliability.conftest import House
from tests.servers import eventually
from tests.test_requirements import ROOT

PAGE = (ROOT / "docs" / "task-types.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """The files that the page shows, by their path: each below the heading that names it."""
    return dict(re.findall(r"^## [^\n`]*`([\w/]+\.py)`\n.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def examples() -> list[dict[str, Any]]:
    """What the page submits, and what comes of it."""
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


def test_the_page_shows_a_type_and_its_actor() -> None:
    assert list(files()) == ["tasks/types/frequent_words.py", "actors/frequent_words.py"]


def test_the_worked_example_works(house: House, tmp_path: Path) -> None:
    for name, code in files().items():
        (tmp_path / "added" / name).parent.mkdir(parents=True)
        (tmp_path / "added" / name).write_text(code, encoding="utf-8")
    house.deployment.add(tmp_path / "added")
    house.open("web", "worker")
    submission, result = examples()
    missing = house.ended(house.submit(**submission))
    assert (missing["status"], missing["error"]["code"]) == ("failed", "not_found")

    payload = {"content": "Green tea, tea and more: green tea is.", "document_id": "tea.md"}
    document = house.submit(task_type="document_processing", kb_id=submission["kb_id"], payload=payload)
    shown = house.ended(house.submit(**submission, depends_on=[document]))
    assert (shown["status"], shown["progress"]) == ("completed", 100.0), shown["error"]
    assert shown["result"]["words"][:2] == result["words"][:2]
    assert shown["result"].keys() == result.keys()
    assert len(shown["result"]["words"]) == len(result["words"])
    assert shown["stages"][0]["units"] == 1

    answer = house.deployment.http.post("/api/v1/tasks", json={**submission, "payload": {"most": 0}})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"payload.document_id", "payload.most"}
    described = house.deployment.http.get("/openapi.json").text
    assert "frequent_words" in described
    for counted in (
        'task_success_total{task_type="frequent_words"} 1.0',
        'task_failure_total{code="not_found",task_type="frequent_words"} 1.0',
    ):
        eventually(
            lambda line=counted: line in house.deployment.http.get("/metrics").text,  # type: ignore[misc]
            seconds=20,
            reason=f"{counted} is shown",
        )
