"""What a process that is alone takes up at its start: all that others held or had in their queues, without a lease."""

from __future__ import annotations

from datetime import timedelta

from tasks.dispatching import dispatch
from tasks.ending import callbacks
from tasks.transactions.unit import Unit
from tasks.working import presence


def resume(unit: Unit) -> int:
    """Requeue what any process held, and publish anew: for whoever knows that no other process lives, and no queue.

    Returns:
      how many tasks were held by a process that died.
    """
    requeued = presence.sweep(unit, lease=timedelta(0))
    dispatch.announce(unit, dispatch.queues())
    callbacks.take_back(unit)
    callbacks.publish_due(unit)
    return requeued
