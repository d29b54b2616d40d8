"""Queues that hold messages and have no consumer, though a worker says that it serves them."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import text

import metrics
from broker.topology import Counts
from logs import Outage
from tasks.transactions.unit import Unit


class Unserved:
    """Looks for such queues again and again."""

    def __init__(self) -> None:
        self._outages: defaultdict[str, Outage] = defaultdict(lambda: Outage("queue_unserved"))
        self._suspected: set[str] = set()
        """Those of the last look: a worker that has just started is given the time until the next."""

    def find(self, unit: Unit, counts: dict[str, Counts]) -> set[str]:
        """Return the queues that were unserved at the previous look and still are. Count and log each."""
        served = {row.queue for row in unit.session.execute(_SERVED)}
        now = {queue for queue, seen in counts.items() if seen.ready and not seen.consumers and queue in served}
        queues, self._suspected = now & self._suspected, now
        for queue in counts:
            if queue in queues:
                unit.count(metrics.UNSERVED, queue)
                self._outages[queue].goes_on(queue=queue, messages=counts[queue].ready)
            else:
                self._outages[queue].is_over()
        return queues


_SERVED = text(
    """
    SELECT DISTINCT unnest(queues) AS queue FROM workers
    WHERE kind = 'worker' AND heartbeat_at > now() - interval '30 seconds'
    """
)
