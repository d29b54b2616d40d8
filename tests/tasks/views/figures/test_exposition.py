"""What Prometheus is told of the deployment, and what of it while PostgreSQL is away."""

from __future__ import annotations

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

import metrics
from models import database
from models.rate_limit import hold
from pipeline import STAGES
from settings import VERSION, settings
from tasks.dispatching import pausing
from tasks.transactions.unit import unit_of_work
from tasks.views.figures import statistics
from tasks.views.figures.exposition import Besides, exposition, of_server
from tasks.working import presence
from tests.tasks.conftest import Desk

UP = Besides({metrics.UP: {("postgresql",): 1, ("rabbitmq",): 1}}, {metrics.SEARCH_DEGRADED: [("vectors",)]})

Values = dict[tuple[str, ...], float]


def parsed(shown: bytes) -> Values:
    """Each value by its name and the values of its labels, in the order of the labels' names."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(shown.decode())
        for sample in family.samples
    }


def expose() -> Values:
    with database.transaction(repeatable=True) as session:
        gauges = {**UP.gauges, **of_server(statistics.server(session))}
        return parsed(exposition(statistics.look(session), Besides(gauges, UP.zeros)))


def test_each_counter_begins_with_zero_where_its_labels_are_known(desk: Desk) -> None:
    values = expose()
    for series in (
        ("task_success_total", "document_processing"),
        ("task_success_total", "embedding"),
        ("task_retry_total", "embedding"),
        ("task_failure_total", "corrupt", "document_processing"),
        ("callback_delivery_total", "given_up"),
        ("queue_unserved_total", "default"),
        ("search_degraded_total", "vectors"),
    ):
        assert values[series] == 0, series
    with unit_of_work() as unit:
        unit.count(metrics.FAILURE, "document_processing", "corrupt")
        unit.count(metrics.CALLBACK, "of a later release")
    values = expose()
    assert values["task_failure_total", "corrupt", "document_processing"] == 1
    assert values["callback_delivery_total", "of a later release"] == 1


def test_tasks_are_told_by_status_and_against_the_limit(desk: Desk) -> None:
    first, *_ = desk.submit(3)
    desk.held(first)
    desk.submit(run_at="2999-01-01T00:00:00Z")
    values = expose()
    statuses = {status: values["task_open_count", status] for status in ("waiting", "queued", "processing")}
    assert statuses == {"waiting": 1, "queued": 2, "processing": 1}
    assert values["task_backlog_size",] == 3
    assert values["task_backlog_limit",] == settings().max_backlog


def test_callbacks_that_are_owed_are_told_with_the_age_of_the_oldest(desk: Desk) -> None:
    desk.submit(2)
    assert expose()["callback_oldest_age_seconds",] == 0
    desk.sql(
        "INSERT INTO callbacks (id, task_id, url, body, created_at)"
        " SELECT gen_random_uuid(), id, 'https://kb.example.com', '{}', now() - interval '1 hour' FROM tasks"
    )
    values = expose()
    assert values["callback_owed_count",] == 2
    assert values["callback_oldest_age_seconds",] == pytest.approx(3600, abs=60)


def test_pauses_processes_and_providers_are_told(desk: Desk) -> None:
    values = expose()
    assert values["clock_heartbeat_age_seconds",] == float("inf")
    assert values["queue_paused", "embedding"] == values["process_active_count", "worker"] == 0
    with unit_of_work() as unit:
        presence.beat(unit.session, "clock")
        pausing.pause(unit, "embedding")
        hold(unit.session, "cohere requests", 60)
    desk.sql("UPDATE workers SET heartbeat_at = now() - interval '20 seconds'")
    values = expose()
    assert values["clock_heartbeat_age_seconds",] == pytest.approx(20, abs=10)
    assert values["process_active_count", "clock"] == 1
    assert (values["queue_paused", "embedding"], values["queue_paused", "default"]) == (1, 0)
    assert values["embedding_provider_wait_seconds", "cohere"] == pytest.approx(60, abs=10)


def test_without_postgresql_it_is_told_that_it_is_away() -> None:
    values = parsed(exposition(None, Besides({metrics.UP: {("postgresql",): 0, ("rabbitmq",): 1}})))
    of_process = {(metric.name,) for metric in metrics.OF_PROCESS}
    assert {name: value for name, value in values.items() if name not in of_process} == {
        ("dependency_up", "postgresql"): 0,
        ("dependency_up", "rabbitmq"): 1,
        ("task_manager_build_info", VERSION): 1,
        **{("task_stage_info", name): 1 for name in STAGES},
    }
    assert all(values[name] > 0 for name in of_process)


def test_postgresql_is_told_with_its_rows_and_with_who_keeps_events_back(desk: Desk) -> None:
    desk.submit(3)
    desk.sql("ANALYZE tasks")
    values = expose()
    assert values["postgresql_connection_count", "active"] >= 1
    assert values["postgresql_connection_limit",] > 1
    assert values["postgresql_database_size_bytes",] > 1_000_000
    assert values["postgresql_live_rows", "tasks"] == 3
    with unit_of_work() as unit:
        unit.session.execute(text("UPDATE tasks SET priority = 9"))
        time.sleep(0.2)
        assert 0.2 <= expose()["event_log_lag_seconds",] < 60
