"""What can go wrong, as exceptions. What the service refuses has a class for its code, and the service's hints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TaskManagerError(Exception):
    """Every error of this client."""


class NotConnected(TaskManagerError):
    """Nothing answers at the address; nothing was sent."""


class ConnectionLost(TaskManagerError):
    """The connection broke; whether the request was understood is not known."""


class TimedOut(TaskManagerError, TimeoutError):
    """Something took longer than it may; the subclasses say what."""


class ConnectTimedOut(TimedOut, NotConnected):
    """No connection was made within `Timeouts.connect`; nothing was sent."""


class ReadTimedOut(TimedOut, ConnectionLost):
    """The service sent, or took, nothing for `Timeouts.read`."""


class TotalTimedOut(TimedOut):
    """The call, its repetitions and the pauses between them included, took longer than `Timeouts.total`."""


class WaitTimedOut(TimedOut):
    """A task or batch did not end in time. It goes on.

    Parameters:
      last: the task or batch as it was seen last; None where it was not seen.
    """

    def __init__(self, message: str, last: Any = None) -> None:
        super().__init__(message)
        self.last = last


class UnexpectedAnswer(TaskManagerError):
    """What answers does not answer as this service does."""


class WebhookRejected(TaskManagerError, ValueError):
    """A webhook that is not what it should be; answer it with 400 and do nothing."""


class Refused(TaskManagerError):
    """The service refuses a request.

    Parameters:
      status: of HTTP.
      problem: as it was answered (RFC 9457).
      retry_after: seconds after which the service asks to come again.

    `code` is stable, and what a program decides by. `detail` says what is wrong with this request; `hint` and `hint_zh`
    say what to do. `errors` lists each field that does not fit, with `field`, `code` and `message`.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        self.code = str(problem.get("code") or f"http_{status}")
        self.detail = str(problem.get("detail") or problem.get("title") or "")
        self.hint: str | None = problem.get("hint")
        self.hint_zh: str | None = problem.get("hint_zh")
        self.request_id: str | None = problem.get("request_id")
        self.errors: Sequence[Mapping[str, str]] = problem.get("errors") or ()
        super().__init__(f"{self.code}: {self.reasons}")

    @property
    def reasons(self) -> str:
        """What is wrong: each field that does not fit, or the detail."""
        return "; ".join(f"{error['field']}: {error['message']}" for error in self.errors) or self.detail


class Unauthorized(Refused):
    """The key is missing or is none of the service's."""


class Forbidden(Refused):
    """The key's role, or the KBs that it is bound to, do not allow this."""


class NotFound(Refused):
    """There is nothing of this id, or nothing at this address."""


class Conflict(Refused):
    """What is asked for does not go with the present state."""


class TooLarge(Refused):
    """The document or the body is larger than the service takes."""


class InvalidRequest(Refused):
    """One or more fields are invalid; `errors` lists each."""


class RateLimited(Refused):
    """The rate limit of the API key is exceeded."""


class Unavailable(Refused):
    """The service cannot serve this now."""


class InternalError(Refused):
    """An unexpected error inside the service; `request_id` finds it in the service's log."""


#: The class for each code of the service; a code that comes with a later release is told by its status.
BY_CODE: dict[str, type[Refused]] = {
    "bad_request": InvalidRequest,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "forbidden_role": Forbidden,
    "forbidden_kb": Forbidden,
    "csrf_token": Forbidden,
    "cross_site": Forbidden,
    "no_such_resource": NotFound,
    "not_found": NotFound,
    "method_not_allowed": InvalidRequest,
    "request_timeout": Unavailable,
    "conflict": Conflict,
    "too_large": TooLarge,
    "unsupported_media_type": InvalidRequest,
    "invalid_request": InvalidRequest,
    "too_many_tasks": InvalidRequest,
    "too_many_schedules": InvalidRequest,
    "too_many_requests": RateLimited,
    "unavailable": Unavailable,
    "embedder_unavailable": Unavailable,
    "rate_limited": Unavailable,
    "internal": InternalError,
}
BY_STATUS: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    429: RateLimited,
    500: InternalError,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def refusal(status: int, problem: Mapping[str, object], retry_after: float | None = None) -> Refused:
    """Return the exception for a problem."""
    kind = BY_CODE.get(str(problem.get("code"))) or BY_STATUS.get(status)
    return (kind or (InvalidRequest if status < 500 else Refused))(status, problem, retry_after)
