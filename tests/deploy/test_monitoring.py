"""What is scraped, shown and warned of: dashboards and alerts ask for metrics that exist, and alerts fire in time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import metrics
from tests.docs.blocks import blocks
from tests.packages import program
from tests.processes import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))


def known() -> dict[str, set[str]]:
    """The labels of each series that Prometheus has of the service, by name."""
    labels = {"up": {"job"}}
    for metric in metrics.ALL:
        suffixes = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        labels.update({metric.name + suffix: {*metric.labels, "le"} for suffix in suffixes})
    return labels


def labels_of(query: str) -> set[str]:
    """The labels that a query names."""
    groups = re.findall(r"\b(?:by|on|without|group_left) ?\(([^)]*)\)", query)
    return {word for group in groups for word in re.findall(r"\w+", group)} | set(
        re.findall(r"[{,] ?(\w+) ?(?:=~|!~|!=|=)", query)
    )


def series_of(query: str) -> set[str]:
    """The series that a query asks for."""
    bare = re.sub(r"\b(?:by|on|without|group_left) ?\([^)]*\)|\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"", " ", query)
    words = set(re.findall(r"\b[a-z]\w*\b(?!\s*\()", bare))
    return words - {"and", "or", "unless", "by", "on", "ignoring", "bool", "e"}


def ask_for_what_exists(queries: list[str]) -> None:
    series = known()
    for query in queries:
        asked = series_of(query)
        assert asked, query
        assert asked <= series.keys(), query
        assert labels_of(query) <= set().union(*(series[name] for name in asked)), query


def panels_of(path: Path) -> list[Any]:
    return [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


def test_one_web_is_scraped_and_no_more() -> None:
    scrape = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in scrape}
    assert jobs["task-manager"] == ["web:8084"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_asks_only_for_metrics_and_labels_that_exist(path: Path) -> None:
    ask_for_what_exists([target["expr"] for panel in panels_of(path) for target in panel["targets"]])


def test_every_metric_but_a_new_counter_is_on_a_dashboard() -> None:
    """A counter can be added, and asked for, before anybody has drawn a panel of it."""
    queries = [target["expr"] for path in DASHBOARDS for panel in panels_of(path) for target in panel["targets"]]
    asked = {re.sub("_(bucket|sum|count)$", "", name) for query in queries for name in series_of(query)}
    shown = asked | {name for query in queries for name in series_of(query)}
    assert {metric.name for metric in metrics.ALL if metric.kind != "counter"} <= shown


def test_what_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError):
        ask_for_what_exists(["sum(task_queue_length)"])
    with pytest.raises(AssertionError):
        ask_for_what_exists(['task_queue_size{kb_id="a"}'])


def test_a_metric_is_explained_with_its_labels() -> None:
    text = (ROOT / "docs" / "statistics.md").read_text("utf-8").partition("## Prometheus")[2].partition("\n## ")[0]
    named = {re.sub(r"\{.*", "", series): series for series in re.findall(r"`([a-z_]+(?:\{[a-z_,]+\})?)`", text)}
    for metric in metrics.ALL:
        labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
        # docs/metrics.md has each of them; what is new need not be explained here as well.
        assert named.get(metric.name) == metric.name + labels or (metric.kind, metric.name in named) == (
            "counter",
            False,
        )


def test_panels_have_places_of_their_own() -> None:
    for path in DASHBOARDS:
        places = [panel["gridPos"] for panel in json.loads(path.read_text())["panels"]]
        cells = [
            (x, y)
            for place in places
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert all(x < 24 for x, _ in cells)


@dataclass(frozen=True)
class Case:
    """Series by which an alert fires, and such by which it stays silent; in each minute a value, as promtool has them.

    Parameters:
      labels: what the alert that fires says besides its severity.
    """

    fires: dict[str, str]
    silent: dict[str, str] | tuple[dict[str, str], ...]
    labels: dict[str, str] = field(default_factory=dict)


CASES = {
    "TaskManagerAway": Case(
        {'up{job="task-manager"}': "0x40"}, {'up{job="task-manager"}': "1x28 0 1x10"}, {"job": "task-manager"}
    ),
    "TaskManagerNotReady": Case(
        {'dependency_up{name="postgresql"}': "0x40"},
        {'dependency_up{name="postgresql"}': "1x40", 'dependency_up{name="rabbitmq"}': "0x40"},
        {"name": "postgresql"},
    ),
    "TaskManagerRabbitmqAway": Case(
        {'dependency_up{name="rabbitmq"}': "0x40"},
        {'dependency_up{name="rabbitmq"}': "1x22 0x8 1x10"},
        {"name": "rabbitmq"},
    ),
    "TaskManagerNoClock": Case(
        {"clock_heartbeat_age_seconds": "90x40"}, {"clock_heartbeat_age_seconds": "5x28 61 4x10"}
    ),
    "TaskManagerClockDutyFails": Case(
        {'clock_duty_failure_total{duty="prune"}': "1+1x40"},
        {'clock_duty_failure_total{duty="prune"}': "0x20 1x20"},
        {"duty": "prune"},
    ),
    "TaskManagerQueueWithoutWorker": Case(
        {
            'task_queue_size{queue="embedding"}': "3x40",
            'queue_worker_threads{queue="embedding"}': "0x40",
            'queue_paused{queue="embedding"}': "0x40",
        },
        {
            'task_queue_size{queue="embedding"}': "3x40",
            'queue_worker_threads{queue="embedding"}': "0x40",
            'queue_paused{queue="embedding"}': "1x40",
            'task_queue_size{queue="storing"}': "0x40",
            'queue_worker_threads{queue="storing"}': "0x40",
            'queue_paused{queue="storing"}': "0x40",
            'task_queue_size{queue="default"}': "9x40",
            'queue_worker_threads{queue="default"}': "10x40",
            'queue_paused{queue="default"}': "0x40",
        },
        {"queue": "embedding"},
    ),
    "TaskManagerQueueSlow": Case(
        {'task_queue_oldest_age_seconds{queue="embedding"}': "1900x40", 'queue_paused{queue="embedding"}': "0x40"},
        {
            'task_queue_oldest_age_seconds{queue="embedding"}': "1700x40",
            'queue_paused{queue="embedding"}': "0x40",
            'task_queue_oldest_age_seconds{queue="storing"}': "9000x40",
            'queue_paused{queue="storing"}': "1x40",
        },
        {"queue": "embedding"},
    ),
    "TaskManagerBacklogLarge": Case(
        {"task_backlog_size": "81x40", "task_backlog_limit": "100x40"},
        {"task_backlog_size": "79x40", "task_backlog_limit": "100x40"},
    ),
    "TaskManagerFailures": Case(
        {
            'task_stage_info{task_type="preprocessing"}': "1x40",
            'task_failure_total{task_type="document_processing",code="corrupt"}': "0+1x40",
            'task_failure_total{task_type="document_processing",code="empty"}': "0x40",
            'task_failure_total{task_type="preprocessing",code="corrupt"}': "0+1x40",
            'task_success_total{task_type="document_processing"}': "0+5x40",
            'task_success_total{task_type="preprocessing"}': "0+90x40",
        },
        (
            # Many of very many, and few of few.
            {
                'task_failure_total{task_type="document_processing",code="corrupt"}': "0+1x40",
                'task_success_total{task_type="document_processing"}': "0+20x40",
            },
            # And many of a stage, which are counted as tasks besides.
            {
                'task_stage_info{task_type="preprocessing"}': "1x40",
                'task_failure_total{task_type="preprocessing",code="corrupt"}': "0+1x40",
                'task_success_total{task_type="document_processing"}': "0+1x40",
            },
            {
                'task_failure_total{task_type="document_processing",code="empty"}': "0x20 5x20",
                'task_success_total{task_type="document_processing"}': "0x40",
            },
        ),
        {"code": "corrupt"},
    ),
    "TaskManagerCallbacksOwed": Case(
        {"callback_oldest_age_seconds": "3700x40"}, {"callback_oldest_age_seconds": "3500x40"}
    ),
    "TaskManagerRequestsFail": Case(
        {
            'http_requests_total{route="/api/v1/tasks",status="2xx"}': "0+20x40",
            'http_requests_total{route="/api/v1/tasks",status="5xx"}': "0+4x40",
        },
        (
            {
                'http_requests_total{route="/api/v1/tasks",status="2xx"}': "0+100x40",
                'http_requests_total{route="/api/v1/tasks",status="5xx"}': "0+4x40",
            },
            {
                'http_requests_total{route="/api/v1/tasks",status="2xx"}': "0+1x40",
                'http_requests_total{route="/api/v1/tasks",status="5xx"}': "0+1x40",
                'http_requests_total{route="/readyz",status="5xx"}': "0+60x40",
            },
        ),
    ),
    "TaskManagerSubmissionsSlow": Case(
        {
            'http_request_duration_seconds_bucket{method="POST",route="/api/v1/tasks",le="1.0"}': "0+90x40",
            'http_request_duration_seconds_bucket{method="POST",route="/api/v1/tasks",le="2.5"}': "0+100x40",
            'http_request_duration_seconds_bucket{method="POST",route="/api/v1/tasks",le="+Inf"}': "0+100x40",
        },
        {
            'http_request_duration_seconds_bucket{method="POST",route="/api/v1/tasks",le="1.0"}': "0+98x40",
            'http_request_duration_seconds_bucket{method="POST",route="/api/v1/tasks",le="2.5"}': "0+100x40",
            'http_request_duration_seconds_bucket{method="POST",route="/api/v1/tasks",le="+Inf"}': "0+100x40",
            'http_request_duration_seconds_bucket{method="GET",route="/api/v1/tasks/{task_id}",le="1.0"}': "0x40",
            'http_request_duration_seconds_bucket{method="GET",route="/api/v1/tasks/{task_id}",le="+Inf"}': "0+9x40",
        },
    ),
    "TaskManagerSearchDegraded": Case(
        {
            'search_degraded_total{lacking="vectors"}': "0+2x40",
            'search_degraded_total{lacking="rerank"}': "0x40",
            'search_duration_seconds_count{mode="hybrid"}': "0+10x40",
        },
        {
            'search_degraded_total{lacking="vectors"}': "0+1x40",
            'search_duration_seconds_count{mode="hybrid"}': "0+20x40",
        },
        {"lacking": "vectors"},
    ),
    "TaskManagerConnectionsLarge": Case(
        {
            'postgresql_connection_count{state="active"}': "20x40",
            'postgresql_connection_count{state="idle"}': "70x40",
            "postgresql_connection_limit": "100x40",
        },
        {
            'postgresql_connection_count{state="active"}': "20x40",
            'postgresql_connection_count{state="idle"}': "60x40",
            "postgresql_connection_limit": "100x40",
        },
    ),
    "TaskManagerTransactionLong": Case({"event_log_lag_seconds": "310+60x40"}, {"event_log_lag_seconds": "290x40"}),
    "TaskManagerStreamsFull": Case(
        {"event_stream_open_count": "460x40", "event_stream_limit": "500x40"},
        {"event_stream_open_count": "440x40", "event_stream_limit": "500x40"},
    ),
}

RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker."""
    return program("promtool", of_package="prometheus")


def promtool_says(promtool: Path, *arguments: str | Path) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_understands_its_configuration_and_the_alerts(promtool: Path, tmp_path: Path) -> None:
    promtool_says(promtool, "check", "config", PROMETHEUS / "prometheus.yml")
    shutil.copy(PROMETHEUS / "alerts.yml", tmp_path)
    (block,) = (entry for entry in blocks(ROOT / "docs" / "operations.md") if entry.name == "prometheus.yml")
    (tmp_path / "prometheus.yml").write_text(block.code)
    promtool_says(promtool, "check", "config", tmp_path / "prometheus.yml")
    promtool_says(promtool, "check", "rules", "--lint-fatal", PROMETHEUS / "alerts.yml")


def test_each_alert_fires_when_it_should_and_is_silent_when_it_should_be(promtool: Path, tmp_path: Path) -> None:
    assert CASES.keys() == {rule["alert"] for rule in RULES}
    tests = []
    for rule in RULES:
        case = CASES[rule["alert"]]
        expected = {"exp_labels": {**rule["labels"], **case.labels}, "exp_annotations": rule["annotations"]}
        silent = case.silent if isinstance(case.silent, tuple) else (case.silent,)
        for series, alerts in ((case.fires, [expected]), *((example, []) for example in silent)):
            asked = {"eval_time": "30m", "alertname": rule["alert"], "exp_alerts": alerts}
            inputs = [{"series": name, "values": values} for name, values in series.items()]
            tests.append({"interval": "1m", "input_series": inputs, "alert_rule_test": [asked]})
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(PROMETHEUS / "alerts.yml")], "tests": tests}))
    promtool_says(promtool, "test", "rules", file)


def test_alerts_ask_only_for_metrics_and_labels_that_exist() -> None:
    ask_for_what_exists([rule["expr"] for rule in RULES])


def test_each_alert_has_a_page_that_says_what_to_do_in_both_languages() -> None:
    pages = {rule["annotations"]["runbook_url"]: rule["alert"] for rule in RULES}
    folder = ROOT / "docs" / "runbook"
    assert {name for page in pages for name in (page, page.replace(".md", ".zh.md"))} == {
        str(path.relative_to(ROOT)) for path in folder.glob("*.md") if path.name != "README.md"
    }
    english = ("**What it means.**", "**Where to look.**", "**What to do.**")
    chinese = ("**含义。**", "**查看。**", "**处理。**")
    for page, alert in pages.items():
        for name, parts in ((page, english), (page.replace(".md", ".zh.md"), chinese)):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert text.startswith(f"# {alert}\n")
            for part in parts:
                assert part in text, f"{name}: {part}"
