"""What the threads of a worker's process share, built in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

from documents.sandbox.pool import Sandbox
from tasks.transactions.group_commit import GroupCommit
from worker.holding import Claims
from worker.isolation import Isolation


@dataclass(frozen=True, slots=True)
class Process:
    """A worker's process.

    Parameters:
      commits: how it writes. Claims, ends and failures of all threads share them.
      claims: what it holds, and whether it is to stop.
      sandbox: the killable children in which documents are read and split: one for each CPU, started when the first
        document comes.
      isolation: the processes in which suspects run alone.
    """

    commits: GroupCommit
    claims: Claims
    sandbox: Sandbox
    isolation: Isolation


def build() -> Process:
    """Make what a worker's process needs; nothing is started before its first use."""
    claims = Claims()
    # A worker waits for PostgreSQL as long as it lives: what it did must be written down.
    return Process(GroupCommit("commits", patience=math.inf), claims, Sandbox(), Isolation(claims))


#: Actors are functions of their modules, as Dramatiq has them: this is where they find the process that they run in.
PROCESS = build()
