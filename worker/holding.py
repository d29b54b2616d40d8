"""The claims that a worker's process holds, and whether it has been told to stop."""

from __future__ import annotations

import time

from tasks.working.claim import Claim


class HandBack(Exception):
    """This process is to stop: the stage goes back unharmed, and another worker resumes it."""


class Lost(Exception):
    """The row is no longer ours: the task was cancelled, or another worker has it."""


class Claims:
    """The claims in the hands of one process."""

    def __init__(self) -> None:
        self._held: dict[int, Claim] = {}
        self._stop_at: float | None = None

    def keep(self, claim: Claim) -> None:
        """Note a claim, until `drop`."""
        self._held[id(claim)] = claim

    def drop(self, claim: Claim) -> None:
        """Forget a claim."""
        self._held.pop(id(claim), None)

    def held(self) -> list[Claim]:
        """Return all of them."""
        return list(self._held.values())

    def stop(self, grace: float) -> None:
        """Ask for work to be handed back: at once between units of work, after `grace` seconds in any case."""
        self._stop_at = time.monotonic() + grace

    def resume(self) -> None:
        """Take a stop back, as a process does that starts another worker."""
        self._stop_at = None

    @property
    def stopping(self) -> bool:
        """Whether this process has been told to stop."""
        return self._stop_at is not None

    @property
    def out_of_grace(self) -> bool:
        """Whether the time to finish what was begun is over."""
        return self._stop_at is not None and time.monotonic() >= self._stop_at
