"""The one shape of every actor that works on a task: claim → work → advance."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import dramatiq
from dramatiq.middleware import CurrentMessage
from sqlalchemy.orm import Session

from errors import TaskError
from models.base import Json
from tasks.accepting.submission import Member
from tasks.transactions.unit import Unit, unit_of_work
from tasks.types import all_stages, task_type
from tasks.working import fence, work
from tasks.working.claim import Advance, Claim, Passed, Range, Turn
from worker import holding
from worker.loop import Loop
from worker.process import PROCESS

#: Seconds between two writes of a stage's progress.
REPORT_EVERY = 0.5


class Work:
    """A stage's view of its task: what to do, whether to go on, and what came of it."""

    def __init__(self, claim: Claim, served: Collection[str] = ()) -> None:
        """Parameters:
        served: the queues that this worker takes work from.
        """
        self.claim = claim
        self.began = time.monotonic()
        """By `time.monotonic`."""
        self._served = served
        self._reported = self.began
        self._deadline = self.began + claim.timeout

    @property
    def task_id(self) -> UUID:
        """Of the task, and so of the document version it makes."""
        return self.claim.task_id

    @property
    def kb_id(self) -> str:
        """The KB that the task works on; empty for a type that needs none."""
        return self.claim.kb_id or ""

    @property
    def payload(self) -> Json:
        """As submitted, with defaults filled in."""
        return self.claim.payload

    @property
    def shard(self) -> Range | None:
        """The part of a divided stage that is to be done; None: all of it, or what is left after its shards."""
        return self.claim.shard

    @property
    def joins(self) -> bool:
        """Whether every shard of this stage is done."""
        return self.claim.joins

    @property
    def seconds_left(self) -> float:
        """Until this attempt's timeout; never below 0."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def may_pass(self) -> bool:
        """Whether this worker may go through all stages that are left, without a claim for each.

        Not after an attempt that did not end well, which may have left something behind, and not where a queue is
        paused or left to other workers.
        """
        queues = {stage.queue for stage in task_type(self.claim.task_type).stages}
        return self.claim.attempt == 1 and queues <= set(self._served) and queues.isdisjoint(self.claim.paused)

    def check(self) -> None:
        """Go on between units of work, or not.

        Raises:
          Lost: the task was cancelled, or given to another worker.
          HandBack: this process is to stop.
          TaskError: `timeout`.
        """
        if self.claim.lost:
            raise holding.Lost
        if PROCESS.claims.stopping:
            raise holding.HandBack
        if self.seconds_left == 0:
            raise TaskError("timeout", f"{self.claim.stage} ran longer than {self.claim.timeout:g} s")

    def interrupted(self) -> bool:
        """Return whether a unit of work that can be killed must be."""
        return self.claim.lost or PROCESS.claims.out_of_grace

    def interruption(self) -> Exception:
        """Return what to raise for work that was killed because of `interrupted`."""
        return holding.Lost() if self.claim.lost else holding.HandBack()

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """Open a transaction of the stage, for all that it writes but what goes with its end.

        It counts as a whole, or not at all when the claim was lost before its commit: a worker that was paused may
        go on long after its task was given to another. Looked at first to spare work that is in vain, and last with
        a lock, so that the row is not kept from a cancel while much is written.

        Raises:
          Lost: see `check`.
        """
        with unit_of_work() as unit:
            if not fence.is_held(unit.session, self.claim):
                raise holding.Lost
            yield unit
            if not fence.is_held(unit.session, self.claim, "FOR SHARE"):
                raise holding.Lost

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open the same transaction, for what needs a session only."""
        with self.unit() as unit:
            yield unit.session

    def report(self, done: int, units: int) -> None:
        """Tell how many units are done; written twice a second at most, without waiting."""
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY:
            self._reported = now
            PROCESS.commits.put(work.report, (self.claim, done, units))

    def done(
        self,
        result: Json | None = None,
        *,
        units: int = 0,
        within: Callable[[Unit], Json] | None = None,
        part: bytes | None = None,
        members: Sequence[Member] = (),
        ends: bool = False,
        overtakes: str | None = None,
        passed: Sequence[Passed] = (),
        first: Callable[[Unit], None] | None = None,
        otherwise: Advance | None = None,
    ) -> Advance:
        """Say that the stage, or the shard, is done; see `tasks.working.claim.Advance`."""
        return Advance(
            self.claim,
            result or {},
            units,
            within,
            part=part,
            members=members,
            ends=ends,
            overtakes=overtakes,
            passed=passed,
            first=first,
            otherwise=otherwise,
        )

    def divide(self, shards: Sequence[tuple[int, int]], *, anew: bool = False) -> Advance:
        """Divide the stage among workers: this function is called for each shard, then once more to join them.

        Parameters:
          shards: the first unit of each, and the one behind its last. Where the stage was divided before, those of
            then are kept, and what is done of them.
          anew: nothing of an earlier attempt is kept.
        """
        return Advance(self.claim, shards=shards, anew=anew)


Function = Callable[[Work], Advance]

#: What each stage does, by the stage's name.
FUNCTIONS: dict[str, Function] = {}


def stage(function: Function) -> dramatiq.Actor[Any, Any]:
    """Make a function the actor of the stage that has its name."""
    name = function.__name__
    declared = all_stages()[name]
    FUNCTIONS[name] = function

    def run(task_id: str) -> None:  # noqa: ARG001 - what the message carries
        # The message only wakes: what comes next may be of another task, and of another stage.
        LOOP.work_off(CurrentMessage.get_current_message())

    run.__doc__ = function.__doc__
    declare = dramatiq.actor(actor_name=name, queue_name=declared.queue, time_limit=math.inf)
    return declare(run)


def perform(claim: Claim) -> Advance | Claim | None:
    """Do a stage's work.

    Returns:
      what came of it; for a suspect, which writes that down itself, the claim that is to be run next, if any.
    """
    if claim.deaths:
        # A worker died with it. Alone in a process it harms no other task, and a crash counts as its own.
        over = PROCESS.isolation.run(claim)
        return over if isinstance(over, Claim) else None
    return FUNCTIONS[claim.stage](Work(claim, LOOP.queues.names))


def carry_out(claim: Claim) -> bool | Claim:
    """Do a stage's work in this process and write down what came of it.

    Returns:
      what `tasks.working.work.advance` does.
    """
    written: bool | Claim = PROCESS.commits.run(work.turn, Turn([FUNCTIONS[claim.stage](Work(claim))])).over[0]
    return written


#: The threads of this process.
LOOP = Loop(perform)
