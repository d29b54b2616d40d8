"""What an operator should look at now: each with a code, since when, and one sentence in English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from models.base import Json, rfc3339
from tasks.views.figures.statistics import Snapshot

#: The sentences, by code; what they name is filled in.
SENTENCES = {
    "queue_paused": (
        "The queue {queue} is paused: nothing is started from it until it is resumed.",
        "队列 {queue} 已暂停：恢复之前不会启动其中的任务。",
    ),
    "queue_without_worker": (
        "Tasks wait in the queue {queue}, and no worker serves it; start one.",
        "队列 {queue} 中有任务等待，但没有 worker 服务它；请启动一个。",
    ),
    "callbacks_failing": (
        "{count} callbacks have failed at least once and are tried again; see whether their address answers.",
        "{count} 个回调至少失败过一次，正在重试；请检查其地址是否可用。",
    ),
    "suspects": (
        "{count} tasks were held by a worker that died; each runs alone until it is known which is at fault.",
        "持有这 {count} 个任务的 worker 曾经中断；在查明原因之前，每个任务将单独运行。",
    ),
    "provider_paced": (
        "The embedding provider {provider} is at its limit; work on it waits until {until}.",
        "嵌入服务 {provider} 已达到速率上限；相关任务将等到 {until}。",
    ),
    "no_clock": (
        "No clock ticks: nothing that is due is started, nothing that was lost is repaired; start `python -m clock`.",
        "没有 clock 在运行：到期的任务不会启动，丢失的也不会修复；请启动 `python -m clock`。",
    ),
    "rabbitmq_away": (
        "RabbitMQ is away: tasks are accepted and wait in PostgreSQL until it is back.",
        "RabbitMQ 不可用：任务仍会被接受，并在 PostgreSQL 中等待其恢复。",
    ),
    "unknown_type": (
        "Tasks of the type {task_type} wait for a later release, which knows it.",
        "类型为 {task_type} 的任务在等待支持它的新版本。",
    ),
}


def attention(snapshot: Snapshot, publishing: str) -> list[Json]:
    """Say what is not as it should be; nothing when all is well.

    Parameters:
      publishing: the state of RabbitMQ, `up` or another.
    """
    return [*_of_queues(snapshot), *_of_processes(snapshot, publishing), *_of_tasks(snapshot)]


def _of_queues(snapshot: Snapshot) -> Iterator[Json]:
    for name, pause in sorted(snapshot.pauses.items()):
        yield _item("queue_paused", pause.paused_at, queue=name)
    for name in snapshot.unserved():
        waited = timedelta(seconds=snapshot.queues[name].oldest or 0)
        yield _item("queue_without_worker", snapshot.as_of - waited, queue=name)


def _of_processes(snapshot: Snapshot, publishing: str) -> Iterator[Json]:
    if not snapshot.alive("clock"):
        beats = [process.heartbeat_at for process in snapshot.processes if process.kind == "clock"]
        yield _item("no_clock", max(beats, default=None))
    if publishing != "up":
        yield _item("rabbitmq_away", None)
    for name, until in sorted(snapshot.paced.items()):
        yield _item("provider_paced", None, provider=name, until=rfc3339(until))


def _of_tasks(snapshot: Snapshot) -> Iterator[Json]:
    if snapshot.owed.failing:
        yield _item("callbacks_failing", snapshot.owed.failing_since, count=snapshot.owed.failing)
    if suspects := sum(row.suspects for row in snapshot.queues.values()):
        since = min(row.suspected_at for row in snapshot.queues.values() if row.suspected_at is not None)
        yield _item("suspects", since, count=suspects)
    for name in snapshot.unknown:
        yield _item("unknown_type", None, task_type=name)


def _item(code: str, since: datetime | None, **names: object) -> Json:
    """Make an item; `since` is null where nobody noted it."""
    english, chinese = (sentence.format(**names) for sentence in SENTENCES[code])
    return {
        "code": code,
        "message": english,
        "message_zh": chinese,
        "since": rfc3339(since),
        "about": names,
    }
