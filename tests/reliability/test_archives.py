"""An archive becomes a batch: each of its members a document of its own, whatever happens in between."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any

import pytest

from tests.reliability.conftest import House

COUNT = 1000
WORDS = ("年假制度", "请假流程", "报销标准", "travel policy", "onboarding", "security rules")


def text_of(number: int) -> str:
    return (
        f"# {WORDS[number % len(WORDS)]} {number}\n\n第{number}份文件说明{WORDS[number % 3]}。This is file {number}.\n"
    )


def archive(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(count):
            file.writestr(f"手册/{number:04}.md", text_of(number))
        file.writestr("logo.gif", b"GIF89a" + bytes(100))
    return out.getvalue()


def upload(house: House, data: bytes) -> str:
    answer = house.deployment.http.post(
        "/api/v1/kbs/kb/documents",
        files={"file": ("制度.zip", data)},
        data={"chunk_size": "500", "priority": "high", "metadata": '{"department": "人事"}'},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def finished(house: House, batch_id: str, seconds: float) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        batch: dict[str, Any] = house.deployment.http.get(f"/api/v1/batches/{batch_id}").json()
        if batch["finished_at"] or time.monotonic() > deadline:
            return batch
        time.sleep(0.5)


@pytest.mark.timeout(420)
def test_a_thousand_small_files_in_a_zip_become_a_thousand_documents_under_one_batch(house: House) -> None:
    house.open("web", "worker", "clock")
    unpacked = house.ended(upload(house, archive(COUNT)))

    assert unpacked["status"] == "completed", unpacked
    assert unpacked["result"]["documents"] == COUNT
    assert unpacked["result"]["warnings"] == [
        "logo.gif was not read: unsupported_format: logo.gif is a GIF image, which has no reader"
    ]
    batch = finished(house, unpacked["result"]["batch_id"], 300)
    assert batch["counts"].get("completed") == COUNT, batch
    texts = dict(house.sql("SELECT d.document_id, v.text FROM documents d JOIN versions v ON v.id = d.version_id"))
    assert texts == {f"制度.zip/手册/{number:04}.md": text_of(number) for number in range(COUNT)}
    members = house.sql(
        "SELECT DISTINCT priority, metadata, payload->'chunk_size' FROM tasks WHERE batch_id IS NOT NULL"
    )
    assert members == [(6, {"department": "人事"}, 500)]
