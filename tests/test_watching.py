"""What those who run the service see: logs and figures of one deployment, with a secret wherever one can stand."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

import httpx2
import pytest
import yaml

import logs
from broker.topology import QUEUES
from pipeline import STAGES
from tests.api.conftest import Client
from tests.deploy.test_monitoring import DASHBOARDS, PROMETHEUS, panels_of
from tests.guard import Guard
from tests.openai_server import openai_server
from tests.packages import program
from tests.postgres import Postgres
from tests.processes import ROOT, Deployment
from tests.rabbitmq import RabbitServer
from tests.receiver import SECRET as CALLBACK_SECRET
from tests.receiver import Receiver
from tests.servers import eventually, free_port

#: What may stand in no line, by where it is planted.
SECRETS = {
    "API key": "planted-api-key",
    "wrong key": "planted-wrong-key",
    "callback secret": CALLBACK_SECRET.removeprefix("whsec_"),
    "embedder key": "planted-embedder-key",
    "PostgreSQL's password": "planted-postgresql-password",
    "RabbitMQ's password": "planted-rabbitmq-password",
    "password in a URL": "planted-url-password",
    "query of a URL": "planted-query",
    "header": "planted-header",
    "cookie": "planted-cookie",
    "address": "planted-address",
    "address of callbacks": "planted-callback-token",
    "document": "planted in the text of a document",
}
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def with_password(url: str, user: str, password: str) -> str:
    """The URL for another user, or the same with a password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))


class Watched(Client):
    """A deployment, its receiver, and what its processes log."""

    def __init__(self, deployment: Deployment, receiver: Receiver) -> None:
        super().__init__(deployment)
        self.receiver = receiver
        self.http.headers["authorization"] = f"Bearer {SECRETS['API key']}"

    def lines(self, **facts: Any) -> list[dict[str, Any]]:
        """The lines that say all of this, in the order of their times."""
        entries = [json.loads(line) for process in self.deployment.processes for line in process.log.splitlines()]
        chosen = [entry for entry in entries if all(entry.get(name) == value for name, value in facts.items())]
        return sorted(chosen, key=lambda entry: str(entry["timestamp"]))


@pytest.fixture(scope="module")
def watched(
    postgres: Postgres,
    rabbitmq_server_of_the_run: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    guard: Guard,
) -> Iterator[Watched]:
    """Web, worker and clock, which say all that they ever say."""
    with (
        postgres.database() as database_url,
        rabbitmq_server_of_the_run.fresh() as rabbitmq,
        openai_server() as embedder,
        Receiver() as receiver,
    ):
        embedder.key = SECRETS["embedder key"]
        user = f"planted-{rabbitmq.virtual_host}"
        rabbitmq.management(f"/users/{user}", "PUT", {"password": SECRETS["RabbitMQ's password"], "tags": ""})
        may = {"configure": ".*", "write": ".*", "read": ".*"}
        rabbitmq.management(f"/permissions/{{vhost}}/{user}", "PUT", may)
        environment = {
            **receiver.environment,
            "KB_CALLBACK_URL": f"{receiver.url}?token={SECRETS['address of callbacks']}",
            "API_KEYS": f"watcher:{SECRETS['API key']}",
            "LOG_LEVEL": "debug",
            "EMBEDDER": "openai",
            "EMBEDDING_BASE_URL": f"{embedder.url}/v1",
            "EMBEDDING_API_KEY": SECRETS["embedder key"],
            "LEASE_SECONDS": "6",
        }
        database = with_password(database_url, urlsplit(database_url).username or "", SECRETS["PostgreSQL's password"])
        broker = with_password(rabbitmq.url, user, SECRETS["RabbitMQ's password"])
        with Deployment(database, broker, tmp_path_factory.mktemp("watched"), guard, **environment) as deployment:
            for name in ("web", "worker", "clock"):
                deployment.start(name)
            yield Watched(deployment, receiver)
        rabbitmq.management(f"/users/{user}", "DELETE")


def submitted(watched: Watched, document_id: str, **headers: str) -> str:
    """A document that is taken in. Returns its task's id."""
    payload = {"content": f"# Tea\n\n{SECRETS['document']}, and more.", "document_id": document_id}
    body = {"task_type": "document_processing", "kb_id": "watched", "payload": payload}
    answer = watched.http.post("/api/v1/tasks", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    task_id = str(answer.json()["task_id"])
    assert watched.ended(task_id)["status"] == "completed"
    return task_id


def test_a_document_is_followed_through_the_logs_by_its_request_and_by_its_trace(watched: Watched) -> None:
    task_id = submitted(watched, "followed", **{"X-Request-ID": "morning-1", "traceparent": TRACEPARENT})
    shown = watched.http.get(f"/api/v1/tasks/{task_id}").json()
    assert (shown["request_id"], shown["trace_id"]) == ("morning-1", TRACE_ID)
    eventually(lambda: watched.lines(event="callback_answered", task_id=task_id), seconds=20)
    entries = watched.lines(request_id="morning-1")
    assert {entry["trace_id"] for entry in entries} == {TRACE_ID}
    web = [entry["event"] for entry in entries if entry["event"] in ("submitted", "request")]
    assert web == ["submitted", "request"]
    assert [(entry["event"], entry.get("stage")) for entry in entries if entry["event"] not in web] == [
        *(("stage_ended", stage) for stage in STAGES[:-1]),
        ("task_ended", STAGES[-1]),
        ("callback_answered", None),
    ]
    (request,) = watched.lines(event="request", request_id="morning-1")
    assert (request["method"], request["route"], request["key"]) == ("POST", "/api/v1/tasks", "watcher")
    assert request["milliseconds"] > 0
    (ended,) = watched.lines(event="task_ended", task_id=task_id)
    assert ended["tokens"] == shown["result"]["tokens_embedded"] > 0
    assert ended["units"] == shown["result"]["chunks"]
    worked = sum(entry["worked_ms"] for entry in watched.lines(event="stage_ended", task_id=task_id))
    assert worked <= ended["worked_ms"] * 1.1 + 50, "the last stage comes on top; a commit may belong to either"
    assert ended["worked_ms"] <= ended["total_ms"]
    assert ended["waited_ms"] + ended["worked_ms"] == pytest.approx(ended["total_ms"], rel=0.5, abs=200)
    (callback,) = watched.lines(event="callback_answered", task_id=task_id)
    assert callback["host"] == "127.0.0.1"
    (received,) = [delivery for delivery in watched.receiver.received if delivery.body["data"]["task_id"] == task_id]
    assert received.traceparent == TRACEPARENT


def test_what_is_not_said_is_made_and_a_trace_that_is_none_is_made_anew(watched: Watched) -> None:
    for headers in (
        {},
        {"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"},
        {"traceparent": TRACEPARENT + "-x"},
    ):
        task_id = watched.submit() if not headers else submitted_with(watched, headers)
        shown = watched.ended(task_id)
        assert UUID(shown["request_id"]).hex == shown["trace_id"]
        eventually(lambda task=task_id: watched.lines(event="task_ended", task_id=task), seconds=10)  # type: ignore[misc]


def submitted_with(watched: Watched, headers: dict[str, str]) -> str:
    answer = watched.http.post("/api/v1/tasks", json={"task_type": "test"}, headers=headers)
    return str(answer.json()["task_id"])


def test_each_process_says_when_it_is_ready(watched: Watched) -> None:
    assert {entry["event"] for entry in watched.lines() if entry["event"].endswith("_ready")} == {
        "web_ready",
        "worker_ready",
        "clock_ready",
    }


def test_each_kind_of_line_and_all_that_it_says_is_explained() -> None:
    text = (ROOT / "docs" / "logs.md").read_text("utf-8")
    for kind in logs.Line.__subclasses__():
        section = text.partition(f"## `{kind.__struct_config__.tag}`")[2].partition("\n## ")[0]
        fields = set(kind.__struct_fields__) - set(logs.Line.__struct_fields__)
        assert {name for name in fields if f"`{name}`" not in section} == set(), kind


def test_no_secret_stands_in_any_line(watched: Watched) -> None:
    http, planted = watched.http, SECRETS
    strange = {
        "cookie": f"session={planted['cookie']}",
        "x-api-key": planted["header"],
        "tracestate": planted["header"],
    }
    http.get("/api/v1/tasks", headers={**strange, "traceparent": planted["header"]})
    httpx2.get(f"{watched.deployment.url}/api/v1/tasks", headers={"authorization": f"Bearer {planted['wrong key']}"})
    http.get(f"/{planted['address']}?token={planted['query of a URL']}")
    http.get("/api/v1/tasks", params={"cursor": planted["query of a URL"]})
    document = quote(f"http://127.0.0.1:1/?token={planted['query of a URL']}", safe="")
    http.get(f"/api/v1/kbs/watched/documents/{document}")
    for url in (
        f"http://user:{planted['password in a URL']}@127.0.0.1:1/",
        f"http://127.0.0.1:1/{planted['address']}?token={planted['query of a URL']}",
    ):
        body = {"task_type": "document_processing", "kb_id": "watched", "payload": {"url": url}, "retry_limit": 0}
        answer = http.post("/api/v1/tasks", json=body)
        if answer.status_code == 202:
            assert watched.ended(answer.json()["task_id"])["status"] == "failed"
        http.post("/api/v1/tasks", json={"task_type": "test", "callback_url": url})
    task_id = submitted(watched, "secret")
    eventually(lambda: watched.lines(event="callback_answered", task_id=task_id), seconds=20)
    said = watched.deployment.logs().splitlines()
    assert [line for line in said if any(secret in line for secret in planted.values())] == []
    assert watched.lines(event="request", route="/api/v1/kbs/{kb_id}/documents/{document_id}"), "they were asked"


#: What seldom happens, and has panels of its own.
SELDOM = """
    INSERT INTO paces (name, free_at) VALUES ('cohere requests', now() + interval '1 hour');
    INSERT INTO tallies (worker_id, metric, labels, count, sum, buckets)
    VALUES (gen_random_uuid(), 'clock_duty_failure_total', 'prune', 1, 0, '{}');
    INSERT INTO tasks (id, task_type, stage, queue, priority, payload, retry_limit, timeout)
    VALUES (gen_random_uuid(), 'later', 'later', 'default', 4, '{}', 3, 300)
"""


@pytest.fixture
def prometheus(watched: Watched, tmp_path: Path, guard: Guard) -> Iterator[httpx2.Client]:
    """A Prometheus with the configuration and the alerts of Compose, that scrapes the deployment each second."""
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(PROMETHEUS / "alerts.yml")]
    configuration["scrape_configs"] = configuration["scrape_configs"][:1]
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{watched.deployment.port}"]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(program("prometheus", of_package="prometheus")),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address={address}",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    guard.watch(process.pid)
    try:
        with httpx2.Client(base_url=f"http://{address}/api/v1", timeout=20) as http:
            yield http
    finally:
        process.kill()
        process.wait()
        guard.forget(process.pid)


def asked(prometheus: httpx2.Client, query: str) -> dict[tuple[str, ...], float]:
    """The present values of a query, by those of their labels. There is no quantile of what was not observed."""
    answer = prometheus.get("/query", params={"query": query.replace("$__rate_interval", "30s")}).json()
    assert answer["status"] == "success", answer
    values = {tuple(result["metric"].values()): float(result["value"][1]) for result in answer["data"]["result"]}
    return {labels: value for labels, value in values.items() if not math.isnan(value)}


def test_no_panel_is_empty_or_wrong(watched: Watched, prometheus: httpx2.Client) -> None:
    submitted(watched, "searched")
    watched.execute(SELDOM)
    panels = [panel for path in DASHBOARDS for panel in panels_of(path)]
    empty = {(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]}
    shown: dict[str, dict[tuple[str, ...], float]] = {}

    def are_filled() -> bool:
        watched.submit()
        payload = {"content": f"# Tea\n\nCup {len(empty)} of it.", "document_id": "read"}
        watched.submit(task_type="document_processing", kb_id="watched", payload=payload)
        watched.http.post("/api/v1/kbs/watched/search", json={"query": "tea"})
        watched.http.get("/nowhere")
        for title, query in sorted(empty):
            if values := asked(prometheus, query):
                shown[title] = values
                empty.discard((title, query))
        return not empty

    try:
        eventually(are_filled, seconds=60, every=1)
    except AssertionError:
        raise AssertionError(f"these show nothing: {sorted(empty)}") from None
    assert all(math.isfinite(value) for values in shown.values() for value in values.values())
    assert set(shown["Servers up"].values()) == set(shown["Release"].values()) == {1}
    assert sorted(shown["Processes"].values()) == [1, 1]
    assert max(shown["Clock last heard of"].values()) < 60
    assert len(shown["Consumers, by queue"]) == len(QUEUES)
    by_status = asked(prometheus, "sum by (status) (http_requests_total)")
    assert by_status["2xx",] > by_status["4xx",] > by_status["5xx",] == 0
    (searches,) = asked(prometheus, "sum(search_duration_seconds_count)").values()
    (requests,) = asked(prometheus, 'sum(http_requests_total{route=~".*/search"})').values()
    assert searches == requests > 0
    rules = [rule for group in prometheus.get("/rules").json()["data"]["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}
    assert {rule["name"] for rule in rules if rule["state"] == "firing"} == set()
