"""The worker's one ordered middleware list: presence, time limits, pipelines, and what becomes of a failed attempt."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import structlog
from dramatiq import Worker
from dramatiq.broker import Broker, MessageProxy
from dramatiq.middleware import Middleware, Pipelines, TimeLimit
from sqlalchemy.exc import DBAPIError

from actors import claiming, holding
from actors.ledger import LEDGER
from actors.outcome import ends
from models import database
from settings import settings
from tasks import presence, work
from tasks.unit import unit_of_work

log = structlog.get_logger(__name__)

#: Seconds between two looks at whether the claims are still ours: a cancelled stage stops within 2 s.
WATCH_SECONDS = 1.0
#: The part of SHUTDOWN_TIMEOUT in which work that was begun may finish.
GRACE = 0.6
#: Seconds that a stopping worker waits for what its threads have handed in to be written down.
SETTLING_SECONDS = 5.0


def worker_middleware() -> list[Middleware]:
    """In the order in which they see a message; after it is processed they see it in reverse."""
    return [Presence(), TimeLimit(), Pipelines(), Retries()]


class Retries(Middleware):
    """Classifies the error of an attempt, counts it, and writes what follows: a due time, or the task's end.

    A message is rejected, and so dead-lettered, exactly when its task ends failed.
    """

    @property
    def actor_options(self) -> set[str]:
        return {"throws"}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        claiming.started(message)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        claim = holding.release()
        try:
            if claim is not None and exception is not None and ends(claim, exception):
                message.fail()
        finally:
            structlog.contextvars.clear_contextvars()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        structlog.contextvars.clear_contextvars()


class Presence(Middleware):
    """Says that the worker lives and what it holds, and watches whether its claims are still its own."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        holding.resume()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, args=(worker,), name="presence", daemon=True)
        self._thread.start()
        log.info("worker_ready", queues=sorted(worker.consumers), threads=worker.worker_threads)

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        holding.stop(settings().shutdown_timeout * GRACE)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
        LEDGER.settle(SETTLING_SECONDS)
        try:
            with unit_of_work() as unit:
                presence.leave(unit)
        except DBAPIError as error:
            log.warning("left_without_word", reason=database.reason(error))

    def _run(self, worker: Worker) -> None:
        beats_every = max(1, round(presence.beat_seconds() / WATCH_SECONDS))
        turn = 0
        while True:
            try:
                if turn % beats_every == 0:
                    self._beat(worker)
                self._watch()
            except DBAPIError as error:
                if not database.is_told(error):
                    log.warning("no_heartbeat", reason=database.reason(error))
            turn += 1
            if self._stopped.wait(WATCH_SECONDS):
                return

    def _beat(self, worker: Worker) -> None:
        pulled = Counter(item.message.queue_name for item in list(worker.work_queue.queue))
        pulled.update({name: getattr(each.consumer, "waiting", 0) for name, each in worker.consumers.items()})
        with database.transaction() as session:
            presence.beat(
                session,
                "worker",
                queues=sorted(worker.consumers),
                threads=worker.worker_threads,
                current=[claim.task_id for claim in holding.held()],
                prefetched=dict(pulled),
            )

    def _watch(self) -> None:
        claiming.AHEAD.hand_back_old()
        claims = holding.held()
        if not claims:
            return
        with database.transaction() as session:
            ours = work.still_held(session)
        for claim in claims:
            if claim.key not in ours:
                claim.lost.set()
