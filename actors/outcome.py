"""What becomes of an attempt that did not go well, and of a message whose stage's end is still being written down."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog
from dramatiq.middleware.time_limit import TimeLimitExceeded
from sqlalchemy.exc import InterfaceError, OperationalError

from actors import holding
from actors.ledger import LEDGER
from errors import TaskError
from models import database
from tasks import failing, work
from tasks.claim import Advance, Claim
from tasks.failing import Failure

log = structlog.get_logger(__name__)

#: Writes down the failures of what could not be written down; the ledger's own thread must not wait for itself.
_afterwards = ThreadPoolExecutor(1, thread_name_prefix="afterwards")


def ends(claim: Claim, exception: BaseException) -> bool:
    """Write down a failed attempt. Returns whether the task has ended with it."""
    if isinstance(exception, holding.Lost):
        log.info("stage_stopped")
        return False
    if isinstance(exception, holding.HandBack) or is_away(exception):
        LEDGER.run(failing.hand_back, claim)
        log.info("stage_handed_back", reason=str(exception) or type(exception).__name__)
        return False
    error = as_task_error(claim, exception)
    ended = bool(LEDGER.run(failing.failed, Failure(claim, error)))
    log.warning("stage_failed", code=error.code, reason=error.message, ended=ended)
    return ended


def written(advance: Advance) -> Future[bool]:
    """Have the end of a task's last stage written down, and go on meanwhile.

    Returns:
      ends when that is durable, with whether its message is to be rejected.
    """
    claim = advance.claim
    outcome: Future[bool] = Future()

    def settle(rejected: bool) -> None:
        holding.drop(claim)
        outcome.set_result(rejected)

    def on_commit(done: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            settle(False)
        else:
            _afterwards.submit(lambda: settle(_ends_or_not(claim, error)))

    LEDGER.put(work.advance, advance).add_done_callback(on_commit)
    return outcome


def _ends_or_not(claim: Claim, error: BaseException) -> bool:
    try:
        return ends(claim, error)
    except Exception:
        # The claim is in nobody's hands then, and the sweep requeues it.
        log.exception("failure_not_written", task_id=str(claim.task_id), stage=claim.stage)
        return False


def as_task_error(claim: Claim, exception: BaseException) -> TaskError:
    """The error as its submitter may see it; an unexpected one is only named, its text stays in the log."""
    if isinstance(exception, TaskError):
        return exception
    if isinstance(exception, TimeLimitExceeded):
        return TaskError("timeout", f"{claim.stage} ran longer than {claim.timeout:g} s and was interrupted")
    return TaskError("internal", f"{claim.stage} met an unexpected {type(exception).__name__}")


def is_away(exception: BaseException) -> bool:
    """PostgreSQL did not answer: the document is not at fault."""
    return isinstance(exception, (OperationalError, InterfaceError)) or database.is_away(exception)
