"""When a stage is claimed: as its thread starts, or a moment before where stages take milliseconds.

A claim waits for a commit. Where stages are long that is nothing; where they are short it would be nearly all of their
time. So messages that were pulled are claimed ahead, as many as the threads get through within PATIENCE: while stages
end within QUICK the number grows by one with each, and it is halved by each that takes longer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dramatiq.broker import MessageProxy

import metrics
from actors import holding
from actors.ledger import LEDGER
from broker.delivery import Delivery
from metrics import Metric
from tasks import concurrency, failing, work
from tasks.claim import Claim, Wanted
from tasks.types import all_stages
from tasks.unit import Unit

#: Claims that may wait for a thread.
MOST = 200
#: Seconds that a stage may take, from its thread's start, to count as short.
QUICK = 0.005
#: Seconds that a claim may wait for its thread before there are to be fewer.
PATIENCE = 0.05
#: Seconds after which it is handed back, for another worker.
LONGEST_WAIT = 1.0


@dataclass(slots=True)
class _Early:
    """A claim made before its thread starts, and since when it is durable."""

    claim: Future[Any]
    since: float = field(default_factory=time.monotonic)


class Ahead:
    """The claims of this process that wait for their thread.

    Parameters:
      stages: the actors that claim.
    """

    def __init__(self, stages: Container[str]) -> None:
        self.places = 0
        """How many there may be now."""
        self._stages = stages
        self._waiting: dict[int, _Early] = {}

    def prepare(self, delivery: Delivery) -> None:
        """Claim for a message that was pulled, if the threads will get to it soon."""
        if len(self._waiting) >= self.places or delivery.actor_name not in self._stages:
            return
        if concurrency.is_short() or holding.stopping():
            return
        early = _Early(LEDGER.put(work.claim, Wanted(UUID(delivery.args[0]), delivery.actor_name)))
        self._waiting[id(delivery)] = early

        def keep(done: Future[Any]) -> None:
            early.since = time.monotonic()
            if done.exception() is None and done.result() is not None:
                holding.keep(done.result())

        early.claim.add_done_callback(keep)

    def rejected(self, queue: str) -> None:
        """Count a message that could not be understood."""
        LEDGER.put(_count, (metrics.NOT_UNDERSTOOD, queue))

    def cancelled(self, queue: str) -> None:
        """Count a consumer that RabbitMQ has ended."""
        LEDGER.put(_count, (metrics.CANCELLED, queue))

    def take(self, delivery: Delivery | None) -> Future[Any] | None:
        """The claim that was made for a message, for the thread that starts it; None: there is none."""
        early = self._waiting.pop(id(delivery), None)
        if early is None:
            return None
        if early.claim.done() and time.monotonic() - early.since > PATIENCE:
            self.places //= 2
        return early.claim

    def learn(self, seconds: float) -> None:
        """Note how long a stage took."""
        self.places = min(MOST, self.places + 1) if seconds < QUICK else self.places // 2

    def hand_back_old(self) -> None:
        """Give claims back that the threads do not get to: work that takes long came between."""
        now = time.monotonic()
        for key, early in list(self._waiting.items()):
            if not early.claim.done() or now - early.since <= LONGEST_WAIT:
                continue
            self.places = 0
            # A thread may have started it this moment.
            if self._waiting.pop(key, None) is not None:
                _hand_back(early.claim.result())


def _count(unit: Unit, counted: Sequence[tuple[Metric, str]]) -> list[None]:
    for metric, queue in counted:
        unit.count(metric, queue)
    return [None] * len(counted)


AHEAD = Ahead(all_stages())
_of_thread = threading.local()


def started(message: MessageProxy | None) -> None:
    """Note the message that the calling thread works on."""
    _of_thread.delivery = message if isinstance(message, Delivery) else None


def delivery() -> Delivery | None:
    """The message that the calling thread works on."""
    return getattr(_of_thread, "delivery", None)


def claimed(task_id: str, stage: str) -> Claim | None:
    """The claim of a stage for the calling thread; None where the row says otherwise (see `tasks.work.claim`)."""
    made = AHEAD.take(delivery()) or LEDGER.put(work.claim, Wanted(UUID(task_id), stage))
    claim: Claim | None = made.result()
    return claim


def _hand_back(claim: Claim | None) -> None:
    if claim is not None:
        holding.drop(claim)
        LEDGER.put(failing.hand_back, claim)
