"""How a worker writes: claims, advances and failures of all its threads share commits."""

from __future__ import annotations

import math

from tasks.transactions.group_commit import GroupCommit

#: A worker waits for PostgreSQL as long as it lives: what it did must be written down.
COMMITS = GroupCommit("commits", patience=math.inf)
