"""Two releases beside each other, as in every deploy: what only the later one knows waits for it, and stops nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.rabbitmq import RabbitServer
from tests.reliability.conftest import House
from tests.reliability.test_task_types import examples, files
from tests.servers import eventually


def test_a_type_of_the_later_release_waits_for_its_workers_and_stops_nothing(
    house: House, rabbitmq: RabbitServer, tmp_path: Path
) -> None:
    worker, clock = (house.deployment.start(name) for name in ("worker", "clock"))
    for name, code in files().items():
        (tmp_path / "added" / name).parent.mkdir(parents=True)
        (tmp_path / "added" / name).write_text(code, encoding="utf-8")
    house.deployment.add(tmp_path / "added")
    house.deployment.start("web")

    (submission, _) = examples()
    payload = {"content": "Green tea, tea and more: green tea is.", "document_id": "tea.md"}
    document = house.submit(task_type="document_processing", kb_id=submission["kb_id"], payload=payload)
    assert house.ended(document)["status"] == "completed"
    later = [house.submit(**submission) for _ in range(5)]
    eventually(lambda: "unknown_to_this_release" in worker.log, seconds=20, reason="the earlier worker is woken for it")
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    beside = [house.submit(task_type="test"), house.submit(task_type="test", run_at=soon)]
    assert [house.ended(task_id)["status"] for task_id in beside] == ["completed", "completed"]
    assert [house.show(task_id)["status"] for task_id in later] == ["queued"] * 5
    assert worker.log.count("unknown_to_this_release") == 1
    assert "duty_failed" not in clock.log

    house.open("worker", "clock")
    assert {house.ended(task_id)["status"] for task_id in later} == {"completed"}
    assert rabbitmq.messages("default.XQ") == []
