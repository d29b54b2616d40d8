"""What the process of a suspect is made of."""

from __future__ import annotations

from typing import Any

import pytest

import logs
from settings import settings
from worker import boot, isolated


def test_the_process_of_a_suspect_has_the_queues_of_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(boot, "assemble", made.append)
    monkeypatch.setattr(logs, "configure", lambda _: None)
    for name, value in {"RABBITMQ_URL": "amqp://127.0.0.1:1", "QUEUE_PREFIX": "ours.", "QUEUE_TYPE": "quorum"}.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    isolated._assemble()
    topology = made[0]._topology
    assert (topology.queue("default"), topology.queue_type) == ("ours.default", "quorum")
