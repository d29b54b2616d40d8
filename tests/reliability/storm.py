"""What the ledger does to a deployment: kills, stops, pauses, and commits whose answer is lost."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.commit_proxy import CommitProxy
from tests.postgres import OwnPostgres
from tests.processes import Process
from tests.rabbitmq import RabbitNode

#: Seconds between two disturbances.
EVERY = 1.0
#: Seconds for which a process is left alone when it is back: what never comes to work is no test.
RESPITE = 3.0
#: The same for a server: without it nothing can be accepted.
SERVERS_RESPITE = 12.0
#: Seconds that a paused process stands still, by the lease: longer, so that others take over what it holds.
PAUSE = (1.2, 2.0)
#: Answers of commits that are lost together.
ANSWERS = 3


class Target:
    """What can be disturbed, in one of several ways.

    Parameters:
      ways: by name; each ends when it is over.
      back: waits until it works again.
      respite: seconds for which it is then left alone.
    """

    def __init__(
        self, ways: dict[str, Callable[[], None]], back: Callable[[], None] | None = None, respite: float = RESPITE
    ) -> None:
        self.ways = ways
        self._back, self._respite = back, respite
        self._thread = threading.Thread()
        self._free_at = 0.0

    @property
    def is_free(self) -> bool:
        """Whether it has worked for a moment."""
        return not self._thread.is_alive() and time.monotonic() >= self._free_at

    def disturb(self, way: str) -> None:
        """Begin to, and bring it back meanwhile."""
        self._thread = threading.Thread(target=self._disturb, args=(way,), name=way)
        self._thread.start()

    def _disturb(self, way: str) -> None:
        self.ways[way]()
        if self._back is not None:
            # On a busy machine, or while a server is away, it takes longer than a start may.
            with suppress(AssertionError):
                self._back()
        self._free_at = time.monotonic() + self._respite

    def wait(self) -> None:
        """Until it is back."""
        if self._thread.ident is not None:
            self._thread.join()


class Storm:
    """Disturbs a deployment, and notes what it did.

    Parameters:
      seed: of what is disturbed, and how.
      back: waits until a process works again.
      lease: LEASE_SECONDS of the deployment.
    """

    def __init__(self, seed: str, back: Callable[[Process], None], lease: float) -> None:
        self._chance = random.Random(seed)
        self._back = back
        self._lease = lease
        self._targets: list[Target] = []
        self._deck: list[tuple[Target, str]] = []
        self.done: Counter[str] = Counter()
        self.ends: list[tuple[float, str]] = []
        """The seconds from each SIGTERM to the end of its process."""

    def add_process(self, process: Process) -> None:
        """Kill, stop and pause a process that is started again whenever it ends."""
        ways = {
            f"{process.name} killed": process.kill,
            f"{process.name} stopped": lambda: self._stop(process),
            f"{process.name} paused": lambda: self._pause(process),
        }
        self._targets.append(Target(ways, lambda: self._back(process)))

    def add_server(self, name: str, server: RabbitNode | OwnPostgres) -> None:
        """Kill a server, and start it again."""

        def kill() -> None:
            server.kill()
            server.start()

        self._targets.append(Target({f"{name} killed": kill}, respite=SERVERS_RESPITE))

    def add_proxy(self, proxy: CommitProxy) -> None:
        """Lose answers of commits."""
        self._targets.append(Target({"answers lost": lambda: proxy.lose_answers(ANSWERS)}))

    @property
    def ways(self) -> set[str]:
        """All that it may do."""
        return {way for target in self._targets for way in target.ways}

    def rage(self, is_over: Callable[[], bool]) -> None:
        """Disturb something every EVERY seconds until it is over, and end when all is back."""
        try:
            while not is_over():
                if (drawn := self._draw()) is None:
                    time.sleep(EVERY / 50)
                    continue
                target, way = drawn
                target.disturb(way)
                self.done[way] += 1
                time.sleep(EVERY)
        finally:
            for target in self._targets:
                target.wait()

    def _draw(self) -> tuple[Target, str] | None:
        """A way to disturb a target that is free; of all there are each once before one comes again."""
        if not self._deck:
            self._deck = [(target, way) for target in self._targets for way in target.ways]
            self._chance.shuffle(self._deck)
        drawn = next((card for card in self._deck if card[0].is_free), None)
        if drawn is not None:
            self._deck.remove(drawn)
        return drawn

    def _stop(self, process: Process) -> None:
        self.ends.append((process.stop_once(), process.name))

    def _pause(self, process: Process) -> None:
        members = process.members
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGSTOP)
        time.sleep(self._lease * self._chance.uniform(*PAUSE))
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGCONT)
