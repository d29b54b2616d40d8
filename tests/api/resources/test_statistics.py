"""The deployment as a whole over HTTP: overview, history, errors, scale."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from api.bulkheads import snapshot
from tests.api.conftest import Client, bad_fields

STATS = "/api/v1/stats"


def test_figures_are_of_one_snapshot(idle_client: Client) -> None:
    idle_client.submit()
    figures = idle_client.http.get(f"{STATS}/overview").json()
    scale = idle_client.http.get(f"{STATS}/scale", params={"target_seconds": 1}).json()
    queues = idle_client.http.get(f"{STATS}/queues").json()
    assert figures["as_of"] <= scale["as_of"] <= queues["as_of"]
    assert scale["queues"].keys() == {queue["queue"] for queue in queues["queues"]}
    assert scale["wanted"] >= 1
    assert {"no_clock", "queue_without_worker"} <= {notice["code"] for notice in figures["attention"]}


def test_why_tasks_failed(client: Client, kb_id: str) -> None:
    task = client.ended(client.upload(kb_id, b"", "empty.txt").json()["task_id"])
    (group,) = client.http.get(f"{STATS}/errors", params={"kb_id": kb_id}).json()["errors"]
    assert (group["code"], group["format"], group["count"]) == (task["error"]["code"], "txt", 1)
    assert group["example"]["task_id"] == task["task_id"]
    assert client.http.get(f"{STATS}/errors", params={"kb_id": f"{kb_id}x"}).json()["errors"] == []


def test_failures_and_histories_are_read_once_for_all_who_ask_the_same(idle_client: Client) -> None:
    def reads(path: str, **query: str) -> list[str]:
        with ThreadPoolExecutor(8) as threads:
            ask = partial(idle_client.http.get, f"{STATS}{path}", params=query)
            return [future.result().json()["as_of"] for future in [threads.submit(ask) for _ in range(40)]]

    for path, query in (("/errors", {}), ("/errors", {"kb_id": "a"}), ("/history", {"metric": "completed"})):
        began = datetime.now(UTC)
        as_of = {datetime.fromisoformat(moment) for moment in reads(path, **query)}
        # Each is kept for a second at least.
        assert len(as_of) <= 2 + (datetime.now(UTC) - began).total_seconds(), path
        assert min(as_of) > began - timedelta(seconds=snapshot.OLDEST + snapshot.MEANWHILE)


@pytest.mark.parametrize("metric", ["completed", "failed", "waiting", "stage_seconds_p95", "tokens", "cost"])
def test_a_history_of_each_window(idle_client: Client, metric: str) -> None:
    for window in ("1h", "24h", "90d"):
        query = {"metric": metric, "window": window}
        history = idle_client.http.get(f"{STATS}/history", params=query).json()
        assert (history["metric"], history["window"]) == (metric, window)
        assert all(len(series["values"]) == len(history["times"]) for series in history["series"])


def test_an_unknown_metric_is_answered_with_those_there_are(idle_client: Client) -> None:
    answer = idle_client.http.get(f"{STATS}/history", params={"metric": "luck", "window": "1h"})
    assert bad_fields(answer) == {"metric"}
    assert "stage_seconds_p50" in answer.json()["errors"][0]["message"]
    assert bad_fields(idle_client.http.get(f"{STATS}/history", params={"window": "2h"})) == {"metric", "window"}
