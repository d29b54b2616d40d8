"""What is scraped, shown and warned of: dashboards ask for metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import metrics
from tests.processes import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))


def known() -> dict[str, set[str]]:
    """The labels of each series that Prometheus has of the service, by name."""
    found = {"up": {"job"}}
    for metric in (*metrics.COUNTED, *metrics.GAUGES):
        suffixes = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        found.update({metric.name + suffix: {*metric.labels, "le"} for suffix in suffixes})
    return found


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


def test_every_metric_is_on_a_dashboard() -> None:
    queries = [target["expr"] for path in DASHBOARDS for panel in panels_of(path) for target in panel["targets"]]
    asked = {re.sub("_(bucket|sum|count)$", "", name) for query in queries for name in series_of(query)}
    shown = asked | {name for query in queries for name in series_of(query)}
    assert {metric.name for metric in (*metrics.COUNTED, *metrics.GAUGES)} <= shown


def test_what_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError):
        ask_for_what_exists(["sum(task_queue_length)"])
    with pytest.raises(AssertionError):
        ask_for_what_exists(['task_queue_size{kb_id="a"}'])


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
