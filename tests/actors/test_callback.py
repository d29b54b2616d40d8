"""What a callback is signed with: the secret of its KB, else that of the settings; two while one replaces another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from actors.callback import headers
from models import database
from models.kb import change
from settings import settings
from tasks.ending import callbacks
from tasks.ending.callbacks import Delivery
from tests.actors.conftest import Bench

OLD, NEW, OTHER = ("whsec_b2xk", "whsec_bmV3", "whsec_b3RoZXI=")


def owed(bench: Bench, kb_id: str) -> Delivery:
    """The callback of a task of a KB that has ended."""
    (task_id,) = bench.submit(kb_id=kb_id, callback_url="https://kb.example.com/callbacks")
    bench.finish(task_id, "test")
    ((callback_id,),) = bench.sql("SELECT id FROM callbacks WHERE body->'data'->>'kb_id' = :kb_id", kb_id=kb_id)
    delivery: Delivery | None = bench.within(callbacks.take, UUID(str(callback_id)))[0]
    assert delivery is not None
    return delivery


def accepts(secret: str, delivery: Delivery) -> bool:
    """Whether a receiver that knows this secret takes the callback."""
    body = json.dumps(delivery.body)
    try:
        Webhook(secret).verify(body, headers(delivery, body))
    except WebhookVerificationError:
        return False
    return True


@pytest.fixture(autouse=True)
def _secrets_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CALLBACK_SECRET", f"{OLD}, {NEW}")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_while_one_secret_replaces_another_a_receiver_may_know_either(bench: Bench) -> None:
    delivery = owed(bench, "kb")
    assert [accepts(secret, delivery) for secret in (OLD, NEW, OTHER)] == [True, True, False]


def test_a_kb_may_have_a_secret_of_its_own(bench: Bench) -> None:
    with database.write() as session:
        change(session, "kb", {"callback_secret": OTHER})
    delivery = owed(bench, "kb")
    assert accepts(OTHER, delivery)
    assert not accepts(NEW, delivery)
    assert "b3RoZXI" not in repr(delivery)
    assert not accepts(OTHER, owed(bench, "another"))
    assert accepts(NEW, owed(bench, "third"))
