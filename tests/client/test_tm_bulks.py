"""What `tm` does to many tasks and batches at once, and undoes."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from typing import Any

from task_manager_client import TaskManager
from tests.client.command import Run, shown
from tests.client.conftest import KEY
from tests.processes import EmbeddedDeployment


def test_what_is_done_to_tasks_is_shown_as_rest_shows_it(here: Run, service: EmbeddedDeployment) -> None:
    kb = f"tasks-{uuid.uuid4()}"
    with TaskManager(service.url, KEY) as client:
        later: Any = {"run_at": "2100-01-01T00:00:00Z"}
        first, second, third = (client.tasks.submit("test", kb, **later).task_id for _ in range(3))
        for _ in range(2):
            client.tasks.submit("test", f"{kb}-all", **later)
    assert shown(here("cancel", third, "-o", "json"))["status"] == "cancelled"
    assert shown(here("retry", third, "-o", "json", "--fields", "task_id")) == {"task_id": third}
    lines = here("cancel", first, second, "-o", "jsonl", "--fields", "task_id,status").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"task_id": task_id, "status": "cancelled"} for task_id in (first, second)
    ]
    retried = shown(here("retry", first, second, "-o", "json"))
    assert [task["task_id"] for task in retried] == [first, second]
    bulk = shown(here("cancel", "--kb", f"{kb}-all", "--yes", "-o", "json"))
    assert (bulk["task_type"], bulk["result"]["changed"]) == ("bulk", 2)
    again = here("retry", "--kb", f"{kb}-all", "--status", "cancelled", "--yes", "--fields", "status")
    assert again.stdout == "status  completed\n"
    assert shown(here("cancel", "--kb", "nowhere", "-o", "json"))["count"] == 0


def test_a_bulk_is_undone_by_its_task(here: Run, service: EmbeddedDeployment) -> None:
    kb = f"undo-{uuid.uuid4()}"
    with TaskManager(service.url, KEY) as client:
        task_id = client.tasks.submit("test", kb, run_at="2100-01-01T00:00:00Z").task_id

    def status() -> str:
        return str(shown(here("get", task_id, "-o", "json"))["status"])

    bulk, _, said = here("cancel", "--kb", kb, "--yes").stdout.partition(": ")
    assert said == "cancel changed 1, refused 0\n"
    undone = here("undo", bulk)
    assert re.fullmatch(r"[0-9a-f-]{36}: undo changed 1, refused 0\n", undone.stdout), undone.stderr
    assert status() == "waiting"
    again = shown(here("undo", undone.stdout.partition(":")[0], "-o", "json"))
    assert (again["task_type"], again["result"]["changed"], status()) == ("bulk", 1, "cancelled")
    refused = here("undo", task_id)
    assert (refused.returncode, refused.stdout, refused.stderr.startswith("tm: ")) == (2, "", True)


def test_batches_are_listed_shown_cancelled_and_retried(here: Run, service: EmbeddedDeployment) -> None:
    kb, later = f"batches-{uuid.uuid4()}", "2100-01-01T00:00:00Z"
    with TaskManager(service.url, KEY) as client:
        items: list[Any] = [{"task_type": "test", "kb_id": kb, "run_at": later} for _ in range(2)]
        empty: Any = {"content": "", "document_id": "empty"}
        failing: list[Any] = [{"task_type": "document_processing", "kb_id": kb, "payload": empty}]
        first, second = (client.tasks.submit_batch(items).batch_id for _ in range(2))
        failed = client.tasks.submit_batch(failing)
        failed.wait(60)

    def batches(*arguments: str) -> subprocess.CompletedProcess[str]:
        return here("batches", *arguments)

    def listed(*filters: str) -> list[str]:
        lines = batches("list", "--kb", kb, *filters, "-o", "jsonl", "--fields", "batch_id").stdout.splitlines()
        return [json.loads(line)["batch_id"] for line in lines]

    assert listed() == [failed.batch_id, second, first]
    assert listed("--limit", "1") == listed("--status", "completed") == [failed.batch_id]
    assert listed("--task-status", "waiting", "--created-after", "2026-01-01T00:00:00Z") == [second, first]
    assert listed("--created-before", "2026-01-01T00:00:00Z") == []
    assert batches("--kb-id", "nowhere").stderr == "tm: no batch fits\n"
    assert shown(batches("get", first, "-o", "json"))["counts"]["waiting"] == 2
    assert batches("cancel", first).stdout == f"{first}: 2 of 2 tasks are cancelled\n"
    assert batches("cancel", first).returncode == 2
    preview = batches("cancel", "--kb", kb, "--dry-run")
    assert preview.stderr == "cancel is for 2 tasks; among them:\n"
    unasked = batches("cancel", "--kb", kb)
    assert (unasked.returncode, "say --yes" in unasked.stderr) == (2, True)
    assert batches("cancel", "--kb", kb, "--yes").stdout.endswith(": cancel changed 2, refused 0\n")
    assert batches("cancel", "--kb", kb, "--yes").stderr == "tm: no task fits\n"
    assert batches("retry", failed.batch_id).stdout.endswith(": retry changed 0, refused 0\n")
    assert shown(batches("retry", "--kb", kb, "-o", "json"))["count"] == 0, "no retry mends what is empty"
