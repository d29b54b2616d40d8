"""What becomes of an attempt that did not go well."""

from __future__ import annotations

import structlog
from dramatiq.middleware.time_limit import TimeLimitExceeded
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from errors import TaskError
from models import database
from tasks.working import failing
from tasks.working.claim import Claim
from tasks.working.failing import Failure
from worker import holding
from worker.process import PROCESS

log = structlog.get_logger(__name__)


def record_failure(claim: Claim, exception: BaseException) -> bool:
    """Write down a failed attempt. Returns whether the task has ended with it."""
    if isinstance(exception, holding.Lost):
        log.info("stage_stopped", **claim.named)
        return False
    if isinstance(exception, holding.HandBack) or is_away(exception):
        PROCESS.commits.run(failing.hand_back, claim)
        log.info("stage_handed_back", **claim.named, reason=str(exception) or type(exception).__name__)
        return False
    error = as_task_error(claim, exception)
    ended = bool(PROCESS.commits.run(failing.fail, Failure(claim, error)))
    log.warning("stage_failed", **claim.named, code=error.code, reason=error.message, ended=ended)
    return ended


def error_of(exception: BaseException) -> str | None:
    """Return what an attempt has failed with, as its span says it; None where it was only given back or stopped."""
    if isinstance(exception, holding.Lost | holding.HandBack):
        return None
    return exception.code if isinstance(exception, TaskError) else type(exception).__name__


def as_task_error(claim: Claim, exception: BaseException) -> TaskError:
    """Return the error as its submitter may see it; an unexpected one is only named, its text stays in the log."""
    if isinstance(exception, TaskError):
        return exception
    if isinstance(exception, TimeLimitExceeded):
        return TaskError("timeout", f"{claim.stage} ran longer than {claim.timeout:g} s and was interrupted")
    return TaskError("internal", f"{claim.stage} met an unexpected {type(exception).__name__}")


def is_away(exception: BaseException) -> bool:
    """Return whether PostgreSQL did not answer, or no connection became free: the document is not at fault."""
    return isinstance(exception, (OperationalError, InterfaceError, PoolTimeout)) or database.is_away(exception)
