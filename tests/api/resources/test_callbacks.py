"""Callbacks over HTTP: which are owed, delivered and given up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client, bad_fields

CALLBACKS = "/api/v1/callbacks"


def owed(client: Client, kb_id: str, host: str) -> str:
    """Have a task end whose callback goes to a host. Returns the callback's id."""
    task_id = client.submit(kb_id=kb_id, callback_url=f"http://{host}:8080/hook?from=elsewhere.example")
    client.http.delete(f"/api/v1/tasks/{task_id}")
    (shown,) = client.http.get(f"/api/v1/tasks/{task_id}/callbacks").json()["items"]
    return str(shown["callback_id"])


def become(client: Client, callback_id: str, status: str) -> None:
    client.sql("UPDATE callbacks SET status = %s WHERE id = %s RETURNING id", status, callback_id)


def listed(client: Client, **query: Any) -> list[str]:
    """The ids of all callbacks of a filter, from pages of one."""
    ids, cursor = [], None
    while True:
        page = client.http.get(CALLBACKS, params={"limit": 1, **query} | ({"cursor": cursor} if cursor else {})).json()
        ids += [callback["callback_id"] for callback in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids


def test_callbacks_are_listed_by_what_became_of_them(idle_client: Client, kb_id: str) -> None:
    first, second, third = (owed(idle_client, kb_id, host) for host in ("One.example", "two.example", "one.example"))
    other = owed(idle_client, f"{kb_id}-other", "one.example")
    become(idle_client, first, "failed")
    become(idle_client, other, "failed")
    become(idle_client, second, "delivered")
    assert listed(idle_client, kb_id=kb_id) == [third, second, first]
    assert listed(idle_client, kb_id=kb_id, host="one.example") == [third, first]
    assert listed(idle_client, kb_id=kb_id, host="ONE.example", state="failed") == [first]
    assert listed(idle_client, kb_id=kb_id, state="delivered") == [second]
    assert listed(idle_client, kb_id=kb_id, state="owed") == [third]
    assert listed(idle_client, kb_id=kb_id, host="elsewhere.example") == []


def test_what_a_preview_of_a_redelivery_counts_is_what_was_given_up(idle_client: Client, kb_id: str) -> None:
    first, _ = (owed(idle_client, kb_id, "one.example") for _ in range(2))
    become(idle_client, first, "failed")
    for filter, count in [({"kb_id": kb_id}, 1), ({"kb_id": kb_id, "state": "owed"}, 1), ({"ids": [first]}, 1)]:
        said = idle_client.http.post(f"{CALLBACKS}/redeliver", json={"filter": filter, "dry_run": True}).json()
        assert (said["count"], len(said["examples"])) == (count, count), filter
    assert said["examples"][0]["callback_id"] == first


@pytest.mark.parametrize("query", [{"state": "pending"}, {"colour": "red"}, {"limit": "0"}, {"cursor": "?"}])
def test_a_query_that_does_not_fit_is_refused(idle_client: Client, query: dict[str, str]) -> None:
    assert bad_fields(idle_client.http.get(CALLBACKS, params=query)) == set(query)
