"""CPU that processes have used, with all that they started, also what has ended since; from /proc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psutil

#: The first processes of each group, by its name.
Groups = Mapping[str, Sequence[psutil.Process]]


def seconds(root: psutil.Process) -> float:
    """User and system time of a process and of all that it has started, in seconds.

    What has ended is part of its parent's times.

    Raises:
      psutil.NoSuchProcess: when the process itself has ended.
    """
    while True:
        try:
            members = (root, *root.children(recursive=True))
            return sum(sum(member.cpu_times()[:4]) for member in members)
        except psutil.NoSuchProcess:
            # A child that ended meanwhile is found in its parent's times by the next look.
            if not root.is_running():
                raise


def by_group(groups: Groups) -> dict[str, float]:
    """Seconds of CPU so far, by group."""
    return {name: sum(map(seconds, roots)) for name, roots in groups.items()}


def spent(groups: Groups, before: Mapping[str, float]) -> dict[str, float]:
    """Seconds of CPU since `before`, an answer of `by_group`."""
    return {name: now - before[name] for name, now in by_group(groups).items()}
