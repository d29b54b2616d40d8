"""One of each is lost under load, and all that was accepted ends once; `make test-cluster` runs it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bench import fail_over
from bench.fail_over_books import recoveries, report
from tests.guard import Guard

#: Seconds of load between two losses.
CALM = 8.0
#: Tasks that must have been accepted: fewer prove nothing.
ENOUGH = 200
#: Seconds without an end of a task that a loss may cost at most, on a machine that does all of this at once.
PAUSE = 60.0


@pytest.mark.timeout(1500)
def test_whatever_is_lost_all_that_was_accepted_ends_once(guard: Guard) -> None:
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    folder.chmod(0o755)
    guard.remove_later(folder)
    with fail_over.start(folder, guard) as cluster:
        course = fail_over.run(cluster, CALM)
    print(report(course))
    assert course.wrong == []
    assert len(course.accepted) > ENOUGH
    assert {loss.what for loss in course.losses} == {*fail_over.ways(cluster)}
    assert [recovery for recovery in recoveries(course) if recovery.pause > PAUSE] == []
