"""The one shape of every actor that works on a task: claim → work → advance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import dramatiq
import structlog
from dramatiq.middleware import SkipMessage
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from actors import alone, claiming, holding, outcome
from actors.claiming import AHEAD
from actors.ledger import LEDGER
from errors import TaskError
from tasks import fence, work
from tasks.claim import Advance, Claim, Range
from tasks.submission import Member
from tasks.types import all_stages, stages_left, task_type
from tasks.unit import Unit, unit_of_work

log = structlog.get_logger(__name__)

#: Seconds between two writes of a stage's progress.
REPORT_EVERY = 0.5


class Work:
    """A stage's view of its task: what to do, whether to go on, and what came of it."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self._reported = time.monotonic()
        self._deadline = time.monotonic() + claim.timeout

    @property
    def task_id(self) -> UUID:
        """Of the task, and so of the document version it makes."""
        return self.claim.task_id

    @property
    def kb_id(self) -> str:
        """The KB that the task works on; empty for a type that needs none."""
        return self.claim.kb_id or ""

    @property
    def payload(self) -> dict[str, Any]:
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

    def check(self) -> None:
        """Between units of work: go on, or not.

        Raises:
          Lost: the task was cancelled, or given to another worker.
          HandBack: this process is to stop.
          TaskError: `timeout`.
        """
        if self.claim.lost.is_set():
            raise holding.Lost
        if holding.stopping():
            raise holding.HandBack
        if self.seconds_left == 0:
            raise TaskError("timeout", f"{self.claim.stage} ran longer than {self.claim.timeout:g} s")

    def interrupted(self) -> bool:
        """Within a unit of work that can be killed: whether it must be."""
        return self.claim.lost.is_set() or holding.out_of_grace()

    def interruption(self) -> Exception:
        """What to raise for work that was killed because of `interrupted`."""
        return holding.Lost() if self.claim.lost.is_set() else holding.HandBack()

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """One transaction of the stage, for all that it writes but what goes with its end.

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
        """The same, for what needs a session only."""
        with self.unit() as unit:
            yield unit.session

    def report(self, done: int, units: int) -> None:
        """Tell how many units are done; written twice a second at most, without waiting."""
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY:
            self._reported = now
            LEDGER.put(work.report, (self.claim, done, units))

    def done(
        self,
        result: dict[str, Any] | None = None,
        *,
        units: int = 0,
        within: Callable[[Session], dict[str, Any]] | None = None,
        part: bytes | None = None,
        members: Sequence[Member] = (),
        ends: bool = False,
        overtakes: str | None = None,
    ) -> Advance:
        """The stage, or the shard, is done; see `tasks.claim.Advance`."""
        return Advance(
            self.claim, result or {}, units, within, part=part, members=members, ends=ends, overtakes=overtakes
        )

    def divide(self, shards: Sequence[tuple[int, int]], *, anew: bool = False) -> Advance:
        """The stage is for several workers: this function is called for each shard, then once more to join them.

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

    def run(task_id: str) -> None:
        claim = claiming.claimed(task_id, name)
        if claim is None:
            raise SkipMessage(f"{name} of {task_id} is not to be done")
        structlog.contextvars.bind_contextvars(task_id=task_id, stage=name, attempt=claim.attempt)
        over: Claim | bool = claim
        while isinstance(over, Claim):
            # An error leaves the claim held, for the middleware that writes down what becomes of it.
            holding.hold(over)
            try:
                over = perform(over)
            except DBAPIError as error:
                if not outcome.is_away(error):
                    raise
                # It is told elsewhere, once: not by each thread, with a traceback.
                raise holding.HandBack("PostgreSQL is away") from None
            holding.release()
        if not over:
            raise SkipMessage(f"{name} of {task_id} is not over: cancelled, given to another, or in other shards")

    run.__doc__ = function.__doc__
    # What was begun is finished first: the backlog stays before the first stage, where the dispatch shares it out.
    declare = dramatiq.actor(
        actor_name=name,
        queue_name=declared.queue,
        priority=stages_left(name),
        throws=(TaskError, holding.Lost, holding.HandBack),
    )
    return declare(run)


def perform(claim: Claim) -> bool | Claim:
    """Do a stage's work and advance. Returns what `tasks.work.advance` does."""
    if claim.deaths:
        # A worker died with it. Alone in a process it can harm no neighbour, and convicts nobody but itself.
        return alone.run(claim)
    delivery = claiming.delivery()
    advance = _done(claim)
    whole = not (advance.shards or claim.shard)
    if delivery is None or not whole or task_type(claim.task_type).after(claim.stage):
        return _written(advance)
    # Nothing follows that must wait: the thread goes on, and the message is acknowledged after the commit.
    holding.let_go()
    delivery.outcome = outcome.written(advance)
    return True


def carry_out(claim: Claim) -> bool | Claim:
    """Do a stage's work in this process and advance. Returns what `tasks.work.advance` does."""
    return _written(_done(claim))


def _done(claim: Claim) -> Advance:
    began = time.monotonic()
    advance = FUNCTIONS[claim.stage](Work(claim))
    AHEAD.learn(time.monotonic() - began)
    return advance


def _written(advance: Advance) -> bool | Claim:
    written: bool | Claim = LEDGER.run(work.advance, advance)
    return written
