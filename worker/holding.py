"""The claims that this process holds, and whether it has been told to stop."""

from __future__ import annotations

import time

from tasks.working.claim import Claim

_claims: dict[int, Claim] = {}
_stop_at: float | None = None


class HandBack(Exception):
    """This process is to stop: the stage goes back unharmed, and another worker resumes it."""


class Lost(Exception):
    """The row is no longer ours: the task was cancelled, or another worker has it."""


def keep(claim: Claim) -> None:
    """Note a claim, until `drop`."""
    _claims[id(claim)] = claim


def drop(claim: Claim) -> None:
    """Forget a claim."""
    _claims.pop(id(claim), None)


def held() -> list[Claim]:
    """Return every claim of this process."""
    return list(_claims.values())


def stop(grace: float) -> None:
    """Ask for work to be handed back: at once between units of work, after `grace` seconds in any case."""
    global _stop_at
    _stop_at = time.monotonic() + grace


def resume() -> None:
    """Take a stop back, as a process does that starts another worker."""
    global _stop_at
    _stop_at = None


def stopping() -> bool:
    """Return whether this process has been told to stop."""
    return _stop_at is not None


def out_of_grace() -> bool:
    """Return whether the time to finish what was begun is over."""
    return _stop_at is not None and time.monotonic() >= _stop_at
