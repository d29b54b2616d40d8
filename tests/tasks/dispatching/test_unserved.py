"""Queues with messages that nobody consumes, though a worker says that it serves them."""

from __future__ import annotations

from broker.topology import Counts
from tasks.dispatching.unserved import Unserved
from tasks.transactions.unit import unit_of_work
from tasks.working import presence
from tests.tasks.conftest import Desk

FULL, EMPTY, SERVED = Counts(3, 0, 0), Counts(0, 0, 0), Counts(3, 0, 1)


def test_a_queue_is_said_to_be_unserved_at_the_second_look(desk: Desk) -> None:
    unserved = Unserved()

    def look(**counts: Counts) -> set[str]:
        with unit_of_work() as unit:
            return unserved.find(unit, counts)

    look(default=EMPTY)
    assert look(default=FULL) == look(default=FULL) == set(), "no worker says that it serves it"
    with unit_of_work() as unit:
        presence.beat(unit.session, "worker", queues=["default", "storing"])
    assert look(default=FULL, storing=SERVED, indexing=FULL) == set(), "the consumer may be about to come"
    assert look(default=FULL, storing=SERVED, indexing=FULL) == {"default"}
    assert look(default=EMPTY, storing=FULL) == set()
    counted = desk.sql("SELECT labels, count FROM tallies WHERE metric = 'queue_unserved_total'")
    assert counted == [("default", 1)]
