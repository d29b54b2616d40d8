"""Why a task does not run: the first reason that holds, in the order in which the dispatch decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from models import Task
from models.base import Json, rfc3339
from models.shard import TAKEN
from settings import settings
from tasks.dispatching import concurrency
from tasks.lifecycle import ENDED
from tasks.types import known
from tasks.views import estimating
from tasks.views.look import MOST_AHEAD, Look, Other


class Cause(NamedTuple):
    """That a reason holds.

    Parameters:
      since: from when on at the earliest; None where nothing says it.
      waiting_for: what must change, each with its `kind`.
      said: what the sentences name.
    """

    since: datetime | None
    waiting_for: Sequence[Json] = ()
    said: Mapping[str, Any] | None = None


def why(session: Session, task_id: UUID, broker: str) -> Json | None:
    """Return why a task does not run, what it waits for, and since when; None when there is no such task.

    Parameters:
      broker: as in `Look`.
    """
    task = session.get(Task, task_id)
    if task is None:
        return None
    look = Look(session, task, broker, session.execute(text("SELECT now()")).scalar_one())
    reason, cause = next((reason, cause) for reason in REASONS if (cause := reason.holds(look)) is not None)
    said = {"task": task, **(cause.said or {})}
    return {
        "reason": reason.name,
        "since": rfc3339(cause.since),
        "detail": reason.sentence.format_map(said),
        "detail_zh": reason.sentence_zh.format_map(said),
        "waiting_for": list(cause.waiting_for),
    }


# What has ended, and what a worker has.


def _ended(look: Look) -> Cause | None:
    return Cause(look.task.finished_at) if look.task.status in ENDED else None


def _is_made_alone(look: Look) -> Cause | None:
    """Whether a suspect is held, and its process has not said yet that its work begins."""
    if look.task.worker_id in (None, TAKEN) or not look.task.deaths or look.task.begun == look.task.attempt:
        return None
    return Cause(look.task.claimed_at, [{"kind": "process", "worker_id": str(look.task.worker_id)}])


def _provider_limited(look: Look) -> Cause | None:
    """Whether a provider's rate limit keeps a stage that embeds from its next request."""
    if look.task.stage != "embedding" or not look.is_held:
        return None
    limit = look.provider_limit
    if limit is None:
        return None
    said = {"name": limit.name, "free_at": rfc3339(limit.free_at)}
    return Cause(look.task.claimed_at or look.task.stage_started_at, [{"kind": "pace", **said}], said)


def _runs(look: Look) -> Cause | None:
    if not look.is_held:
        return None
    return Cause(look.task.claimed_at or look.task.stage_started_at)


# What is not ready.


def _expired(look: Look) -> Cause | None:
    """Whether nobody has started it in time, and the clock is to end it."""
    expires_at = look.task.expires_at
    if expires_at is None or look.task.started_at is not None or expires_at > look.now:
        return None
    return Cause(expires_at, [{"kind": "clock"}], {"expires_at": rfc3339(expires_at)})


def _depends(look: Look) -> Cause | None:
    others = [cause for cause in look.task.waiting_for if cause in look.task.depends_on]
    if not others:
        return None
    since = look.task.created_at if look.task.run == 1 else look.task.due_at
    return Cause(since, _shown(look.tasks(others)), {"count": len(others)})


def _stood_back(look: Look) -> Cause | None:
    """Whether it met the lock of another, whose end it waits for."""
    if not look.task.waiting_for:
        return None
    return _behind_lock(look, list(look.task.waiting_for))


def _put_off(look: Look) -> Cause | None:
    if not look.is_waiting or look.task.error is None:
        return None
    ended = [attempt["finished_at"] for attempt in look.task.attempts or [] if attempt["outcome"] == "put_off"]
    said = {"error": look.task.error, "due_at": rfc3339(look.task.due_at)}
    return Cause(datetime.fromisoformat(ended[-1]) if ended else None, [{"kind": "time", **said}], said)


def _scheduled(look: Look) -> Cause | None:
    if not look.is_waiting:
        return None
    said = {"due_at": rfc3339(look.task.due_at)}
    return Cause(look.task.created_at, [{"kind": "time", **said}], said)


def _shards_put_off(look: Look) -> Cause | None:
    """Whether all that is left of a divided stage was put off."""
    if look.task.worker_id != TAKEN or look.task.error is None:
        return None
    said = {"error": look.task.error, "due_at": rfc3339(look.shards.due_at)}
    return Cause(look.shards.put_off_at, [{"kind": "time", **said}], said)


# What is ready.


def _unknown(look: Look) -> Cause | None:
    """Whether it is of a type or stage that only a later release has."""
    if f"{look.task.task_type} {look.task.stage}" in known():
        return None
    return Cause(look.task.due_at, [{"kind": "worker", "queue": look.task.queue}])


def _paused(look: Look) -> Cause | None:
    pause = look.pause
    if pause is None:
        return None
    by, because = pause.paused_by, pause.reason
    detail = {"queue": pause.queue, "paused_by": by, "paused_at": rfc3339(pause.paused_at), "reason": because}
    said = {
        "by": f" by {by}" if by else "",
        "because": f" ({because})" if because else "",
        "by_zh": f"，操作者 {by}" if by else "",
        "because_zh": f"，原因：{because}" if because else "",
    }
    return Cause(look.after(pause.paused_at), [{"kind": "queue", **detail}], said)


def _unserved(look: Look) -> Cause | None:
    return None if look.workers else Cause(look.task.due_at, [{"kind": "worker", "queue": look.task.queue}])


def _limited(look: Look) -> Cause | None:
    most = settings().max_concurrent_tasks
    if concurrency.is_enough(look.session) or (running := concurrency.running(look.session)) < most:
        return None
    return Cause(look.task.due_at, [{"kind": "limit", "running": running, "most": most}], {"most": most})


def _locked(look: Look) -> Cause | None:
    """Whether another has begun to work on the same, or was submitted before and is ready too."""
    other = look.predecessor
    return None if other is None else _behind_lock(look, [other])


def _behind_lock(look: Look, others: Sequence[UUID]) -> Cause:
    rows = look.tasks(others)
    return Cause(look.after(rows[0].started_at if rows else None), _shown(rows), {"other": others[0]})


def _not_woken(look: Look) -> Cause | None:
    """Whether a thread is idle that only a message would wake, and RabbitMQ takes none."""
    if look.broker == "up" or not any(len(worker.current) < worker.threads for worker in look.workers):
        return None
    return Cause(look.task.due_at, [{"kind": "rabbitmq"}])


def _is_next_alone(look: Look) -> Cause | None:
    if not look.task.deaths or look.ahead:
        return None
    return Cause(look.task.due_at, [{"kind": "worker", "queue": look.task.queue}], {"deaths": look.task.deaths})


def _behind(look: Look) -> Cause:
    is_more = look.ahead >= MOST_AHEAD
    ends_at = None if is_more else estimating.after(look.session, look.task, look.ahead)
    waits = {"kind": "turn", "ahead": look.ahead, "or_more": is_more, "estimated_completion": rfc3339(ends_at)}
    return Cause(look.task.due_at, [waits], {"ahead": f"{look.ahead}{'+' if is_more else ''}"})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a task does not run, and how it is said; what is in braces is of the task, or of `Cause.said`."""

    name: str
    holds: Callable[[Look], Cause | None]
    sentence: str
    sentence_zh: str


#: The first one that holds is the reason.
REASONS = (
    Reason("ended", _ended, "It has ended: it is {task.status}.", "任务已经结束，状态为 {task.status}。"),
    Reason(
        "isolation",
        _is_made_alone,
        "A worker died while it held this task, so it runs alone in a process, which is being started.",
        "曾有 worker 在执行该任务时中断，因此它将在单独的进程中运行；该进程正在启动。",
    ),
    Reason(
        "provider_pace",
        _provider_limited,
        "Its stage {task.stage} has begun and waits for {name} of its embedder, which are free again at {free_at}.",
        "阶段 {task.stage} 已开始，正在等待嵌入服务的限速（{name}），将于 {free_at} 恢复。",
    ),
    Reason("running", _runs, "A worker runs its stage {task.stage}.", "worker 正在执行阶段 {task.stage}。"),
    Reason(
        "scheduled",
        _expired,
        "No worker had started it by {expires_at}, when it expired; the clock ends it in a moment.",
        "在过期时间 {expires_at} 之前没有 worker 开始执行，clock 即将结束该任务。",
    ),
    Reason(
        "depends",
        _depends,
        "It depends on other tasks, {count} of which have not ended yet.",
        "它依赖其他任务，其中 {count} 个尚未结束。",
    ),
    Reason(
        "locked",
        _stood_back,
        "Task {other} works on the same document and ends first.",
        "任务 {other} 正在处理同一文档，须等它先结束。",
    ),
    Reason(
        "retry",
        _put_off,
        "Its last attempt ended with the error {error[code]}; the next one is due at {due_at}.",
        "上一次尝试以错误 {error[code]} 结束，下一次尝试定于 {due_at}。",
    ),
    Reason(
        "scheduled",
        _scheduled,
        "It is due at {due_at}, when the clock makes it ready.",
        "它定于 {due_at} 执行，届时由 clock 使其就绪。",
    ),
    Reason(
        "retry",
        _shards_put_off,
        "What is left of its stage {task.stage} was put off after the error {error[code]}; the next part is due at "
        "{due_at}.",
        "阶段 {task.stage} 的剩余部分因错误 {error[code]} 被推迟，下一部分定于 {due_at}。",
    ),
    Reason(
        "no_worker",
        _unknown,
        "This release does not know the stage {task.stage} of the type {task.task_type}; a later release runs it.",
        "当前版本不认识类型 {task.task_type} 的阶段 {task.stage}，须由更新的版本执行。",
    ),
    Reason(
        "paused",
        _paused,
        "The queue {task.queue} is paused{by}{because}; resume it with POST /api/v1/queues/{task.queue}/resume.",
        "队列 {task.queue} 已暂停{by_zh}{because_zh}；可用 POST /api/v1/queues/{task.queue}/resume 恢复。",
    ),
    Reason(
        "no_worker",
        _unserved,
        "No worker serves the queue {task.queue}; start one: sh deploy/worker.sh",
        "没有 worker 服务队列 {task.queue}；请启动：sh deploy/worker.sh",
    ),
    Reason(
        "limit",
        _limited,
        "As many stages run as may at once in the whole deployment: {most} (MAX_CONCURRENT_TASKS).",
        "整个部署同时运行的阶段已达上限 {most}（MAX_CONCURRENT_TASKS）。",
    ),
    Reason(
        "locked",
        _locked,
        "Task {other} is for the same document, was begun or submitted before, and ends first.",
        "任务 {other} 针对同一文档且更早提交或开始，须等它先结束。",
    ),
    Reason(
        "broker_away",
        _not_woken,
        "A worker is idle, but RabbitMQ cannot be reached, so nobody wakes it; the task is kept in PostgreSQL.",
        "有空闲的 worker，但无法连接 RabbitMQ，因而无法唤醒它；任务仍保存在 PostgreSQL 中。",
    ),
    Reason(
        "isolation",
        _is_next_alone,
        "A worker died while it held this task ({deaths} times in this stage); it is the next, alone in a process.",
        "曾有 worker 在执行该任务时中断（本阶段 {deaths} 次）；下一个轮到它，并将在单独的进程中运行。",
    ),
    Reason(
        "behind",
        _behind,
        "It is ready; {ahead} tasks of its queue start before it.",
        "任务已就绪，同一队列中有 {ahead} 个任务排在它前面。",
    ),
)


def _shown(rows: Sequence[Other]) -> list[Json]:
    return [{"kind": "task", "task_id": str(row.id), "status": row.status, "stage": row.stage} for row in rows]
