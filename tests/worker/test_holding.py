"""The claims that a process holds, and when it has to give them up."""

from __future__ import annotations

import uuid

from tasks.working.claim import Claim
from worker.holding import Claims


def claim() -> Claim:
    return Claim(uuid.uuid4(), "test", "test", 1, None, {}, 60, 3, 0, 0, 0)


def test_what_is_kept_is_held_until_it_is_dropped() -> None:
    claims, first, second = Claims(), claim(), claim()
    claims.keep(first)
    claims.keep(second)
    assert claims.held() == [first, second]
    claims.drop(first)
    claims.drop(first)  # as a thread does whose claim another has dropped
    assert claims.held() == [second]


def test_two_claims_that_say_the_same_are_two() -> None:
    claims, first = Claims(), claim()
    second = Claim(first.task_id, "test", "test", 1, None, {}, 60, 3, 0, 0, 0)
    claims.keep(first)
    claims.keep(second)
    claims.drop(first)
    assert [other is second for other in claims.held()] == [True]


def test_a_stop_gives_what_was_begun_its_grace() -> None:
    claims = Claims()
    assert (claims.stopping, claims.out_of_grace) == (False, False)
    claims.stop(60)
    assert (claims.stopping, claims.out_of_grace) == (True, False)
    claims.stop(0)
    assert (claims.stopping, claims.out_of_grace) == (True, True)


def test_a_stop_that_is_taken_back_leaves_nothing() -> None:
    claims = Claims()
    claims.stop(0)
    claims.resume()
    assert (claims.stopping, claims.out_of_grace) == (False, False)
