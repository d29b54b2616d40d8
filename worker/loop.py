"""What a worker's thread does once a message has woken it: one piece of work after the other, until none waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import dramatiq
import structlog
from dramatiq.broker import MessageProxy
from dramatiq.middleware.time_limit import TimeLimitExceeded

import logs
import metrics
from broker.delivery import Delivery
from broker.messages import wake_up
from tasks.dispatching.dispatch import Queues
from tasks.transactions.unit import Unit
from tasks.transactions.waking import BACKSTOP_SECONDS
from tasks.types import all_stages
from tasks.working import failing, spans, work
from tasks.working.claim import Advance, Answer, Claim, Turn
from worker.bundle import PATIENCE, Bundle, Watch
from worker.outcomes import error_of, record_failure
from worker.process import PROCESS

log = structlog.get_logger(__name__)

#: What is done for a claim: gives what came of it, or the claim of the whole stage that its thread is to run next.
Perform = Callable[[Claim], Advance | Claim | None]


#: Seconds after which a thread looks again at what was locked when it was woken, such as by a submission that depends
#: on it; after the last, the clock finds it.
LOOK_AGAIN = (0.02, 0.1, 0.5)


class Loop:
    """The threads of one worker.

    Parameters:
      perform: runs a claim.
    """

    def __init__(self, perform: Perform) -> None:
        self.queues = Queues(())
        """What this worker serves; see `serve`."""
        self._count = 1
        self._at_work = 0
        self._lock = threading.Lock()
        self._perform = perform
        self._watch = Watch(self._break_up)

    def serve(self, queues: Sequence[str], threads: int) -> None:
        """Take work from these queues, with so many threads."""
        self.queues = Queues(queues)
        self._count = threads

    def are_busy(self, queue: str) -> bool:
        """Return whether each thread that takes from this queue is at work; one without tasks has its own threads."""
        return queue in self.queues.names and self._at_work >= self._count

    def rejected(self, queue: str) -> None:
        """Count a message that could not be understood."""
        PROCESS.commits.put(_counted, (metrics.NOT_UNDERSTOOD, queue))

    def cancelled(self, queue: str) -> None:
        """Count a consumer that RabbitMQ has ended."""
        PROCESS.commits.put(_counted, (metrics.CANCELLED, queue))

    def work_off(self, woken_by: object) -> None:
        """Run what waits, until nothing does. The message is acknowledged as soon as the first claim is durable."""
        with self._lock:
            self._at_work += 1
        try:
            self._work_off(woken_by)
        finally:
            with self._lock:
                self._at_work -= 1

    def _work_off(self, woken_by: object) -> None:
        claims = self._look()
        if isinstance(woken_by, Delivery):
            woken_by.acknowledge()
        while claims:
            try:
                done = self._run(claims)
                # Nobody waits for more of this thread than the end of the one task that there was.
                alone = len(claims) == 1 and self.queues.saw_all and all_stages()[claims[0].stage].bundle > 1
                claims = self._hand_in(Turn(done, None if alone else self._wanted()))
                if alone and not claims:
                    claims = self._hand_in(Turn(wanted=self._wanted()))
            except BaseException:
                _let_go(claims)
                raise

    def _look(self) -> list[Claim]:
        """Take what waits. What somebody has locked is looked at again: it may be no worker, and no message follows."""
        claims = self._hand_in(Turn(wanted=self._wanted(), woken=True))
        for pause in LOOK_AGAIN:
            if claims or not self.queues.met_locks or PROCESS.claims.stopping:
                break
            time.sleep(pause)
            claims = self._hand_in(Turn(wanted=self._wanted(), woken=True))
        return claims

    def _wanted(self) -> Queues | None:
        return None if PROCESS.claims.stopping else self.queues

    def _hand_in(self, turn: Turn) -> list[Claim]:
        """Write down what is done. Returns what to run next."""
        if not turn.done and turn.wanted is None:
            return []
        run = PROCESS.commits.run_here if any(outcome.first for outcome in turn.done) else PROCESS.commits.run
        try:
            answer: Answer = run(work.turn, turn)
        except Exception as error:
            if not turn.done:
                raise
            log.info("handed_in_alone", tasks=len(turn.done), reason=type(error).__name__)
            # One of them spoils the others' transaction: each by itself.
            if claims := [claim for outcome in turn.done for claim in self._hand_in_alone(outcome)]:
                return claims
            return self._hand_in(Turn(wanted=turn.wanted))
        return _exchanged(turn, answer)

    def _hand_in_alone(self, done: Advance) -> list[Claim]:
        turn = Turn([done.otherwise or done])
        try:
            answer: Answer = PROCESS.commits.run(work.turn, turn)
        except Exception as error:
            self._fail(done.claim, error)
            return []
        return _exchanged(turn, answer)

    def _run(self, claims: Sequence[Claim]) -> list[Advance]:
        """Run claims in turn. Returns what came of those that are still to be written down."""
        bundle = Bundle(claims)
        if len(claims) > 1:
            self._watch.begin(bundle)
        broker = dramatiq.get_broker()
        message = _message(claims)
        # To Dramatiq's middleware each bundle is a message of its stage, and so has its time limit.
        broker.emit_before("process_message", message)
        error: BaseException | None = None
        try:
            while (claim := bundle.next()) is not None:
                self._run_one(bundle, claim)
        except TimeLimitExceeded as exceeded:  # between two of them
            error = exceeded
        finally:
            broker.emit_after("process_message", message, exception=error)
            self._watch.end(bundle)
        self._learn(claims[0].stage, len(claims), time.monotonic() - bundle.began)
        rest, done = bundle.take()
        for claim in rest:
            self._hand_back(claim)
        if error is not None:
            written = {id(outcome.claim) for outcome in done}
            _let_go(claim for claim in claims if id(claim) not in written)
        return done

    def _run_one(self, bundle: Bundle, claim: Claim) -> None:
        if PROCESS.claims.stopping:
            self._hand_back(claim)
            return
        logs.set_about(claim.named)
        span = spans.begin(claim)
        try:
            outcome = self._perform(claim)
        except BaseException as error:
            if span is not None:
                span.end(error=error_of(error))
            self._fail(claim, error)
        else:
            if span is not None:
                spans.end(span, outcome)
            if isinstance(outcome, Advance):
                bundle.done(outcome)
            else:
                PROCESS.claims.drop(claim)
            if isinstance(outcome, Claim):
                PROCESS.claims.keep(outcome)
                bundle.add(outcome)
        finally:
            logs.set_about({})

    def _fail(self, claim: Claim, error: BaseException) -> None:
        """Write down what becomes of a claim whose attempt ended with an error."""
        try:
            record_failure(claim, error)
        except Exception:
            # The claim is in nobody's hands then, and the sweep requeues it.
            log.exception("failure_not_written", **claim.named)
        finally:
            PROCESS.claims.drop(claim)

    def _learn(self, stage: str, count: int, seconds: float) -> None:
        """Take twice as many of a quick stage the next time, and one of a slow one."""
        most = all_stages()[stage].bundle
        if most > 1:
            quick = seconds < PATIENCE / 2
            self.queues.widths[stage] = min(most, count * 2) if quick else 1

    def _break_up(self, bundle: Bundle) -> None:
        """Hand back what was not begun of a slow bundle, so that others may have it, and write down what is done."""
        rest, done = bundle.take()
        for claim in rest:
            self._hand_back(claim)
        for outcome in done:
            PROCESS.commits.put(work.turn, Turn([outcome])).add_done_callback(partial(_over, outcome.claim))

    def _hand_back(self, claim: Claim) -> None:
        PROCESS.claims.drop(claim)
        PROCESS.commits.put(failing.hand_back, claim)


def _exchanged(turn: Turn, answer: Answer) -> list[Claim]:
    """Hold the claims that came of a turn in place of those that it ended. Returns them."""
    for outcome in turn.done:
        PROCESS.claims.drop(outcome.claim)
    claims = [*(over for over in answer.over if isinstance(over, Claim)), *answer.claims]
    for claim in claims:
        PROCESS.claims.keep(claim)
    return claims


def _message(claims: Sequence[Claim]) -> Any:
    """Return the message that claims stand for."""
    first = claims[0]
    queue = all_stages()[first.stage].queue
    limit = max(claim.timeout for claim in claims) + BACKSTOP_SECONDS
    message = wake_up([str(first.task_id)], first.stage, queue, priority=0, attempt=first.attempt, time_limit=limit)
    return MessageProxy(message)


def _let_go(claims: Iterable[Claim]) -> None:
    """Say that nobody works on these any more: what of them is not written down, the sweep requeues.

    A claim that is held and not worked on would wait for the end of this process.
    """
    for claim in claims:
        PROCESS.claims.drop(claim)


def _over(claim: Claim, _: object) -> None:
    PROCESS.claims.drop(claim)


def _counted(unit: Unit, seen: Sequence[tuple[metrics.Metric, str]]) -> list[None]:
    for metric, label in seen:
        unit.count(metric, label)
    return [None] * len(seen)
