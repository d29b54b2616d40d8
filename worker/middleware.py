"""The worker's one ordered middleware list: presence, threads for callbacks, and time limits."""

from __future__ import annotations

import threading
from collections import Counter
from queue import PriorityQueue

import structlog
from dramatiq import Worker
from dramatiq.broker import Broker, MessageProxy
from dramatiq.middleware import CurrentMessage, Middleware, TimeLimit
from dramatiq.worker import WorkerThread
from sqlalchemy.exc import DBAPIError

import tracing
from broker.delivery import Delivery
from models import database
from settings import VERSION, settings
from tasks import process
from tasks.dispatching import dispatch
from tasks.ending import callbacks
from tasks.transactions.unit import unit_of_work
from tasks.working import claiming, presence
from worker.process import PROCESS
from worker.stage import LOOP

log = structlog.get_logger(__name__)

#: Seconds between two looks at whether the claims are still ours: a cancelled stage stops within 2 s.
WATCH_SECONDS = 1.0
#: The part of SHUTDOWN_TIMEOUT in which work that was begun may finish. Threads are waited for until .6 of it
#: (`deploy/worker.sh`).
GRACE = 0.5
#: The part of it after which what is still held is handed back, whoever works on it.
HANDED_BACK = 0.65
#: The part that a stopping worker waits for what its threads have handed in to be written down.
FLUSHING = 0.1


def worker_middleware() -> list[Middleware]:
    """Return them in the order in which they see a message; after it is processed they see it in reverse.

    They see each bundle of claims as a message, too: see `worker.loop`.
    """
    return [Presence(), Callbacks(), Limits(), CurrentMessage()]


class InTime(Middleware):
    """Ends the process within SHUTDOWN_TIMEOUT, whatever hangs: for one that is nothing but a worker."""

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        process.end_in_time()


class Presence(Middleware):
    """Says that the worker lives and what it holds, and watches whether its claims are still its own."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._leaving = threading.Lock()

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        # Before its first thread runs: a message that waits already must find what to take.
        PROCESS.claims.resume()
        served = worker.consumer_whitelist
        LOOP.serve([name for name in dispatch.queues() if not served or name in served], worker.worker_threads)

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, args=(worker,), name="presence", daemon=True)
        self._thread.start()
        log.info("worker_ready", queues=sorted(worker.consumers), threads=worker.worker_threads, version=VERSION)

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        PROCESS.claims.stop(settings().shutdown_timeout * GRACE)
        # Dramatiq waits for its threads, and as long again for its consumers, whatever hangs there.
        late = threading.Timer(settings().shutdown_timeout * HANDED_BACK, self._leave)
        late.daemon = True
        late.start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._leave()

    def _leave(self) -> None:
        """Hand back what is held, and strike the name; once."""
        with self._leaving:
            if self._stopped.is_set():
                return
            self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=WATCH_SECONDS)
        PROCESS.commits.flush(settings().shutdown_timeout * FLUSHING)
        tracing.flush()
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
            except Exception:
                # Such as no connection that became free. Who ends here is taken for dead while it works.
                log.exception("no_heartbeat")
            turn += 1
            if self._stopped.wait(WATCH_SECONDS):
                return

    def _beat(self, worker: Worker) -> None:
        pulled = Counter(item.message.queue_name for item in list(worker.work_queue.queue))
        pulled.update({name: getattr(consumer.consumer, "waiting", 0) for name, consumer in worker.consumers.items()})
        with database.transaction() as session:
            presence.beat(
                session,
                "worker",
                queues=sorted(worker.consumers),
                threads=worker.worker_threads,
                current=[claim.task_id for claim in PROCESS.claims.held()],
                prefetched=dict(pulled),
            )

    def _watch(self) -> None:
        claims = PROCESS.claims.held()
        if not claims:
            return
        with database.transaction() as session:
            ours = claiming.still_held(session)
        for claim in claims:
            if claim.key not in ours:
                claim.lost = True


class Callbacks(Middleware):
    """Gives callbacks threads of their own: those of the tasks take the next task for as long as one waits."""

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        consumer = worker.consumers.get(callbacks.QUEUE)
        if consumer is None:
            return
        consumer.work_queue = PriorityQueue()
        for _ in range(worker.worker_threads):
            thread = WorkerThread(
                broker=broker,
                consumers=worker.consumers,
                work_queue=consumer.work_queue,
                worker_timeout=worker.worker_timeout,
            )
            # Among the worker's threads, so that they are stopped and waited for as the others are.
            worker.workers.append(thread)
            thread.start()


class Limits(TimeLimit):
    """The time limit of callbacks and of bundles, but not of the message that wakes a thread for them.

    What it waits for is PostgreSQL, as long as that is away; the claims that it then gets would be lost with it.
    """

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        if not isinstance(message, Delivery) or message.queue_name == callbacks.QUEUE:
            super().before_process_message(broker, message)  # type: ignore[no-untyped-call]
