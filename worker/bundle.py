"""The claims that one thread runs in turn, of which another thread may take back what was not begun."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from tasks.working.claim import Advance, Claim


class Bundle:
    """Claims in the hands of one thread: those to be run, and what was done of them."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self.began = time.monotonic()
        self._waiting = deque(claims)
        self._done: list[Advance] = []
        self._lock = threading.Lock()

    def next(self) -> Claim | None:
        """Take the next claim to run; None: there is no more."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def add(self, claim: Claim) -> None:
        """Run one more claim, before the others."""
        with self._lock:
            self._waiting.appendleft(claim)

    def done(self, advance: Advance) -> None:
        """Note what came of a claim."""
        with self._lock:
            self._done.append(advance)

    def take(self) -> tuple[list[Claim], list[Advance]]:
        """Take what was not begun, and what is done and not yet written down."""
        with self._lock:
            waiting, done = list(self._waiting), self._done
            self._waiting.clear()
            self._done = []
        return waiting, done


#: Seconds after which a bundle is no longer quick: what was not begun is handed back, and what is done written down.
PATIENCE = 0.05


class Watch:
    """One thread that breaks up the bundles that turn out slow.

    Parameters:
      break_up: called with such a bundle.
    """

    def __init__(self, break_up: Callable[[Bundle], None]) -> None:
        self._break_up = break_up
        self._bundles: dict[int, Bundle] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def begin(self, bundle: Bundle) -> None:
        """Watch a bundle until `end`."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bundles", daemon=True)
                self._thread.start()
            self._bundles[id(bundle)] = bundle
            if len(self._bundles) == 1:
                self._changed.notify()

    def end(self, bundle: Bundle) -> None:
        """Watch a bundle no longer."""
        with self._changed:
            self._bundles.pop(id(bundle), None)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._bundles:
                    self._changed.wait()
                oldest = next(iter(self._bundles.values()))
                left = oldest.began + PATIENCE - time.monotonic()
                if left <= 0:
                    del self._bundles[id(oldest)]
            if left > 0:
                time.sleep(left)
            else:
                self._break_up(oldest)
