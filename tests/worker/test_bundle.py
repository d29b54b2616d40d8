"""The claims that one thread runs in turn, and what takes back those that were not begun."""

from __future__ import annotations

import threading
import uuid

from tasks.working.claim import Advance, Claim
from tests.servers import eventually
from worker.bundle import Bundle, Watch


def claims(count: int) -> list[Claim]:
    return [Claim(uuid.uuid4(), "test", "test", 1, None, {}, 60, 3, 0, 0, 0) for _ in range(count)]


def test_claims_are_run_in_their_order_and_one_that_is_added_before_them() -> None:
    first, second, third = claims(3)
    bundle = Bundle([first, second])
    assert bundle.next() is first
    bundle.add(third)
    assert [bundle.next(), bundle.next(), bundle.next()] == [third, second, None]


def test_what_was_not_begun_and_what_is_done_is_taken_once() -> None:
    first, second = claims(2)
    bundle = Bundle([first, second])
    bundle.next()
    done = Advance(first)
    bundle.done(done)
    assert bundle.take() == ([second], [done])
    assert bundle.take() == ([], [])
    assert bundle.next() is None


def test_each_claim_is_run_by_one_thread_or_taken_back() -> None:
    """Whatever happens between the thread that runs a bundle and the one that breaks it up."""
    for _ in range(50):
        items = claims(200)
        bundle, run, start = Bundle(items), list[Claim](), threading.Barrier(2)

        def work(bundle: Bundle = bundle, run: list[Claim] = run, start: threading.Barrier = start) -> None:
            start.wait()
            while (claim := bundle.next()) is not None:
                run.append(claim)
                bundle.done(Advance(claim))

        thread = threading.Thread(target=work)
        thread.start()
        start.wait()
        waiting, done = bundle.take()
        thread.join()
        more, rest = bundle.take()
        assert more == []
        assert run + waiting == items
        assert [advance.claim for advance in done + rest] == run


def test_a_slow_bundle_is_broken_up_once_and_a_quick_one_is_not() -> None:
    broken: list[Bundle] = []
    watch = Watch(broken.append)
    quick, slow = Bundle(claims(1)), Bundle(claims(2))
    watch.begin(quick)
    watch.end(quick)
    watch.begin(slow)
    eventually(lambda: broken == [slow], seconds=10, reason="the slow one is broken up")
    watch.end(slow)  # as its thread says when it has ended
    third = Bundle([])
    watch.begin(third)
    eventually(lambda: broken == [slow, third], seconds=10, reason="the next one, and the first one not again")
