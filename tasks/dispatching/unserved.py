"""Queues that hold messages and have no consumer, though a worker says that it serves them."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import text

import metrics
from broker.topology import Counts
from logs import Outage
from tasks.transactions.unit import Unit

_outages: defaultdict[str, Outage] = defaultdict(lambda: Outage("queue_unserved"))
#: Those of the last look: a worker that has just started is given the time until the next.
_suspected: set[str] = set()


def find(unit: Unit, counts: dict[str, Counts]) -> set[str]:
    """Look for such queues, and say so in the log and the metrics where it was the same at the look before.

    Returns:
      the queues.
    """
    global _suspected
    served = {row.queue for row in unit.session.execute(_SERVED)}
    now = {queue for queue, seen in counts.items() if seen.ready and not seen.consumers and queue in served}
    found, _suspected = now & _suspected, now
    for queue in counts:
        if queue in found:
            unit.count(metrics.UNSERVED, queue)
            _outages[queue].goes_on(queue=queue, messages=counts[queue].ready)
        else:
            _outages[queue].is_over()
    return found


_SERVED = text(
    """
    SELECT DISTINCT unnest(queues) AS queue FROM workers
    WHERE kind = 'worker' AND heartbeat_at > now() - interval '30 seconds'
    """
)
