"""A divided stage as the rows tell it: shards are claimed one by one, fenced, tried again, and joined once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

import clock
from errors import TaskError
from models import database
from models.shard import TAKEN
from settings import settings
from tasks.dispatching import dispatch, pausing
from tasks.ending import ending, retrying, shard_repair
from tasks.transactions.unit import unit_of_work
from tasks.views import reading
from tasks.working import claiming, failing, fence, presence, shards, work
from tasks.working.claim import Advance, Claim, Range
from tasks.working.failing import CRASH_BUDGET, DEATH_BUDGET, Failure
from tests.servers import eventually
from tests.tasks.conftest import Desk

STAGE = "preprocessing"
BOUNDS = [(0, 10), (10, 20), (20, 25)]
AWAY = TaskError("embedder_unavailable", "away")
WRONG = TaskError("corrupt", "no page can be read")


def divided(desk: Desk, **fields: Any) -> UUID:
    """A document whose first stage has been divided into three shards."""
    payload = {"content": "text", "document_id": str(uuid4())}
    (task_id,) = desk.submit(task_type="document_processing", kb_id="kb", payload=payload, **fields)
    assert desk.within(work.advance, Advance(desk.held(task_id, STAGE), shards=BOUNDS)) == [False]
    return task_id


def shard(desk: Desk, task_id: UUID) -> Claim:
    """Claim the next shard."""
    claim = desk.held(task_id, STAGE)
    assert claim.shard is not None
    return claim


def all_shards(desk: Desk, task_id: UUID) -> list[Claim]:
    return [shard(desk, task_id) for _ in BOUNDS]


def finish(desk: Desk, claim: Claim, part: bytes | None = None) -> Claim | bool:
    answer: Claim | bool = desk.within(work.advance, Advance(claim, part=part))[0]
    return answer


def joined(desk: Desk, claim: Claim) -> Claim:
    """Finish the last shard."""
    whole = finish(desk, claim)
    assert isinstance(whole, Claim)
    return whole


def due_now(desk: Desk) -> None:
    """Let the time pass until the next attempt, and the clock look."""
    desk.sql("UPDATE shards SET due_at = now()")
    clock.tick(clock.WAKE)


def die(desk: Desk) -> None:
    """Let this process be found dead."""
    desk.sql("DELETE FROM workers")
    with database.transaction() as session:
        presence.beat(session, "worker", threads=1)
    desk.sql("UPDATE workers SET heartbeat_at = now() - interval '1 hour'")
    with unit_of_work() as unit:
        presence.sweep(unit)


@pytest.fixture
def short_lease(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are found dead as soon as the server has run for three seconds."""
    monkeypatch.setenv("LEASE_SECONDS", "3")
    settings.cache_clear()
    eventually(lambda: desk.sql("SELECT 1 WHERE pg_postmaster_start_time() < now() - interval '3 s'"))


@pytest.mark.parametrize(("units", "size", "sizes"), [(10, 10, [10]), (11, 10, [5, 6]), (31, 10, [7, 8, 8, 8])])
def test_units_are_shared_out_evenly(units: int, size: int, sizes: list[int]) -> None:
    made = shards.ranges(units, size)
    assert sorted(last - first for first, last in made) == sizes
    assert [first for first, _ in made] == [0, *(last for _, last in made[:-1])]
    assert made[-1][1] == units


def test_each_shard_is_claimed_once_and_the_last_one_done_joins(desk: Desk) -> None:
    task_id = divided(desk)
    claims = all_shards(desk, task_id)
    assert [(claim.shard.first, claim.shard.last) for claim in claims if claim.shard] == BOUNDS
    assert desk.claim(task_id, STAGE) is None
    assert finish(desk, claims[1], b"b") is False
    assert finish(desk, claims[0], b"a") is False
    whole = joined(desk, claims[2])
    assert (whole.joins, whole.shard) == (True, None)
    with database.transaction() as session:
        assert [shards.result(session, whole, index) for index in range(4)] == [b"a", b"b", None, None]
    assert desk.within(work.advance, Advance(whole, units=25)) == [True]
    row = desk.row(task_id)
    assert (row.stage, row.shards, row.worker_id) == ("chunking", 0, None)
    (stage,) = row.stages
    assert (stage["units"], stage["units_done"], stage["attempts"]) == (25, 25, 1)
    assert desk.sql("SELECT count(*) FROM shards") == [(0,)]
    assert desk.held(task_id, "chunking").shard is None


def test_each_claim_of_a_shard_wakes_another_worker_while_one_is_free(desk: Desk) -> None:
    task_id = divided(desk)
    before = desk.queued(STAGE)
    for taken in range(1, len(BOUNDS) + 1):
        assert desk.row(task_id).worker_id is None
        shard(desk, task_id)
        assert desk.queued(STAGE) == before + min(taken, len(BOUNDS) - 1)
    assert desk.row(task_id).worker_id == TAKEN
    with unit_of_work() as unit:
        desk.sql("UPDATE tasks SET due_at = now() - interval '1 hour'")
        assert dispatch.find_lost(unit, {STAGE: 0}) == 0, "nothing is missing while every shard is taken"


def test_shards_that_finish_at_the_same_moment_are_joined_once(desk: Desk) -> None:
    for _ in range(5):
        claims = all_shards(desk, divided(desk))
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda claim: finish(desk, claim), claims))
        assert sum(isinstance(answer, Claim) for answer in answers) == 1
    claims = all_shards(desk, divided(desk))
    answers = desk.within(work.advance, *(Advance(claim) for claim in claims))
    assert [isinstance(answer, Claim) for answer in answers] == [False, False, True], "also in one commit"


def test_a_shard_that_finishes_twice_counts_once(desk: Desk) -> None:
    first, second, third = all_shards(desk, divided(desk))
    assert [finish(desk, first), finish(desk, first), finish(desk, second)] == [False] * 3
    whole = joined(desk, third)
    assert finish(desk, third) is False
    assert desk.within(work.advance, Advance(whole)) == [True]
    assert desk.within(work.advance, Advance(whole)) == [False]


@pytest.mark.usefixtures("short_lease")
def test_progress_is_the_sum_over_the_shards_and_never_falls(desk: Desk) -> None:
    task_id = divided(desk)
    first, second, third = all_shards(desk, task_id)
    seen = []
    for claim, done in ((first, 5), (second, 10), (first, 2), (third, 5)):
        assert desk.within(work.report, (claim, done, 10)) == [True]
        seen.append((desk.row(task_id).units_done, round(desk.row(task_id).progress, 2)))
    assert seen == [(5, 6), (15, 18), (15, 18), (20, 24)]
    die(desk)
    assert desk.row(task_id).progress == pytest.approx(24)
    assert desk.within(work.report, (first, 10, 10)) == [False]
    with database.transaction() as session:
        shown = reading.show(session, task_id)
    assert shown is not None
    assert (shown["stages"][0]["units"], shown["stages"][0]["units_done"]) == (25, 20)
    assert shown["stages"][0]["status"] == "processing"


@pytest.mark.usefixtures("short_lease")
def test_a_dead_worker_loses_its_shards_only_and_they_run_alone(desk: Desk) -> None:
    task_id = divided(desk)
    first, second, third = all_shards(desk, task_id)
    other = uuid4()
    desk.sql("INSERT INTO workers (id, kind, name, queues, threads) VALUES (:id, 'worker', 'w', '{}', 1)", id=other)
    desk.sql("UPDATE shards SET worker_id = :other WHERE index = 1", other=other)
    desk.sql("UPDATE workers SET heartbeat_at = now() - interval '1 hour' WHERE id = :id", id=other)
    with unit_of_work() as unit:
        assert presence.sweep(unit) == 1
    again = shard(desk, task_id)
    assert again.shard == second.shard
    assert (again.deaths, again.attempt) == (1, 2)
    assert desk.claim(task_id, STAGE) is None
    assert [finish(desk, second), finish(desk, first), finish(desk, third)] == [False] * 3
    whole = joined(desk, again)
    assert whole.deaths == 0, "the joining is not the suspect"
    desk.within(work.advance, Advance(whole))
    assert desk.row(task_id).stages[0]["attempts"] == 2


@pytest.mark.usefixtures("short_lease")
def test_a_joiner_that_dies_is_followed_by_another(desk: Desk) -> None:
    task_id = divided(desk)
    claims = all_shards(desk, task_id)
    for claim in claims[:2]:
        finish(desk, claim)
    old = joined(desk, claims[2])
    die(desk)
    new = desk.held(task_id, STAGE)
    assert (new.joins, new.shard, new.deaths) == (True, None, 1)
    assert desk.within(work.advance, Advance(old)) == [False]
    assert desk.within(work.advance, Advance(new)) == [True]


def test_an_error_puts_off_its_shard_only(desk: Desk) -> None:
    task_id = divided(desk, retry_limit=1)
    first, second, third = all_shards(desk, task_id)
    assert desk.within(failing.fail, Failure(first, AWAY)) == [False]
    assert desk.claim(task_id, STAGE) is None, "it is not due yet"
    row = desk.row(task_id)
    assert (row.status, row.retries, row.error["code"]) == ("processing", 1, "embedder_unavailable")
    assert finish(desk, second) is False
    due_now(desk)
    again = shard(desk, task_id)
    assert (again.shard, again.errors) == (first.shard, 1)
    assert finish(desk, third) is False
    assert joined(desk, again)


def test_the_last_error_of_a_shard_fails_the_task_once_and_fences_the_others(desk: Desk) -> None:
    task_id = divided(desk)
    first, second, third = all_shards(desk, task_id)
    assert desk.within(failing.fail, Failure(first, WRONG), Failure(second, WRONG)) == [True, False]
    assert desk.within(failing.fail, Failure(second, WRONG)) == [False]
    assert desk.within(failing.fail, Failure(third, AWAY)) == [False]
    assert finish(desk, third) is False
    assert desk.within(work.report, (third, 3, 5)) == [False]
    row = desk.row(task_id)
    assert (row.status, row.error["code"], row.worker_id, row.shards) == ("failed", "corrupt", None, 0)
    assert desk.sql("SELECT count(*) FROM shards WHERE worker_id IS NOT NULL") == [(0,)]


def test_a_shard_that_kills_its_process_alone_is_given_up_after_three(desk: Desk) -> None:
    task_id = divided(desk)
    crash = TaskError("worker_crashed", "killed")
    for crashes in range(CRASH_BUDGET):
        claim = shard(desk, task_id)
        assert (claim.shard, claim.crashes) == (Range(0, *BOUNDS[0]), crashes)
        ended = desk.within(failing.fail, Failure(claim, crash))
        due_now(desk)
    assert ended == [True]
    assert desk.row(task_id).error["code"] == "worker_crashed"


@pytest.mark.usefixtures("short_lease")
def test_a_shard_whose_workers_die_one_after_the_other_is_given_up(desk: Desk) -> None:
    task_id = divided(desk)
    for _ in range(DEATH_BUDGET):
        claim = shard(desk, task_id)
        die(desk)
    (deaths,) = desk.sql("SELECT deaths FROM shards WHERE index = 0")
    assert deaths == (1,), "it had not begun alone"
    for _ in range(DEATH_BUDGET - 1):
        claim = shard(desk, task_id)
        with unit_of_work() as unit:
            assert fence.begin(unit.session, claim)
        die(desk)
    assert (desk.row(task_id).status, desk.row(task_id).error["code"]) == ("failed", "worker_crashed")


def test_a_cancelled_task_takes_its_shards_from_every_worker(desk: Desk) -> None:
    task_id = divided(desk)
    claims = all_shards(desk, task_id)
    with unit_of_work() as unit:
        assert claiming.still_held(unit.session) == {claim.key for claim in claims}
        ending.cancel(unit, [task_id])
    with database.transaction() as session:
        assert claiming.still_held(session) == set()
    assert [finish(desk, claim) for claim in claims] == [False] * 3


def test_a_retry_by_hand_does_only_the_shards_that_are_missing(desk: Desk) -> None:
    task_id = divided(desk)
    first, second, third = all_shards(desk, task_id)
    finish(desk, second, b"kept")
    desk.within(failing.fail, Failure(first, WRONG))
    with unit_of_work() as unit:
        assert retrying.retry(unit, [task_id]).task_ids == [task_id]
    assert finish(desk, third) is False
    whole = desk.held(task_id, STAGE)
    assert (whole.shard, whole.joins) == (None, False)
    assert desk.within(work.advance, Advance(whole, shards=[(0, 25)])) == [False]
    left = [shard(desk, task_id) for _ in range(2)]
    assert [claim.shard for claim in left] == [first.shard, third.shard]
    assert desk.row(task_id).units_done == 10
    assert finish(desk, third) is False, "an attempt of before the retry"
    assert finish(desk, left[0]) is False
    with database.transaction() as session:
        assert shards.result(session, joined(desk, left[1]), 1) == b"kept"


def test_what_was_divided_anew_keeps_nothing(desk: Desk) -> None:
    task_id = divided(desk)
    finish(desk, shard(desk, task_id))
    with unit_of_work() as unit:
        ending.cancel(unit, [task_id])
        retrying.retry(unit, [task_id])
    desk.within(work.advance, Advance(desk.held(task_id, STAGE), shards=[(0, 7)], anew=True))
    assert shard(desk, task_id).shard == Range(0, 0, 7)
    assert desk.row(task_id).units == 7


def test_a_retry_from_the_first_stage_forgets_the_shards(desk: Desk) -> None:
    task_id = divided(desk)
    with unit_of_work() as unit:
        ending.cancel(unit, [task_id])
    desk.sql("UPDATE tasks SET finished_at = now() - interval '2 days'")
    with unit_of_work() as unit:
        retrying.retry(unit, [task_id])
    assert desk.sql("SELECT count(*) FROM shards") == [(0,)]


def test_shards_are_handed_back_unharmed(desk: Desk) -> None:
    task_id = divided(desk)
    first, second, third = all_shards(desk, task_id)
    assert desk.within(failing.hand_back, first) == [True]
    assert shard(desk, task_id).shard == first.shard
    with unit_of_work() as unit:
        assert failing.hand_back_all(unit) == 3
    assert desk.sql("SELECT sum(errors + crashes + deaths), count(worker_id) FROM shards") == [(0, 0)]
    assert desk.row(task_id).worker_id is None
    assert [finish(desk, second), finish(desk, third)] == [False, False]


def test_a_claim_of_a_shard_that_its_worker_does_not_know_is_requeued(desk: Desk) -> None:
    task_id = divided(desk)
    all_shards(desk, task_id)
    with database.transaction() as session:
        presence.beat(session, "worker", threads=1)
    desk.sql("UPDATE shards SET claimed_at = now() - interval '1 minute' WHERE index = 2")
    with unit_of_work() as unit:
        assert presence.sweep(unit) == 1
        assert shard_repair.offer(unit) == 1
    assert shard(desk, task_id).shard == Range(2, *BOUNDS[2])


def test_shards_wait_while_their_queue_is_paused(desk: Desk) -> None:
    task_id = divided(desk)
    first = shard(desk, task_id)
    with unit_of_work() as unit:
        pausing.pause(unit, STAGE)
    assert desk.claim(task_id, STAGE) is None
    assert finish(desk, first) is False
    with unit_of_work() as unit:
        pausing.resume(unit, STAGE)
    assert shard(desk, task_id).shard == Range(1, *BOUNDS[1])


def test_each_shard_takes_a_place_of_those_that_may_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_TASKS", "2")
    settings.cache_clear()
    with database.transaction() as session:
        presence.beat(session, "worker", threads=20)
    task_id = divided(desk)
    first, _ = shard(desk, task_id), shard(desk, task_id)
    assert desk.claim(task_id, STAGE) is None
    assert finish(desk, first) is False
    assert shard(desk, task_id).shard == Range(2, *BOUNDS[2])


def test_the_shards_of_one_kb_hold_up_no_other(desk: Desk) -> None:
    large = divided(desk)
    shard(desk, large)
    (small,) = desk.submit(task_type="document_processing", kb_id="small", payload={"content": "t"})
    assert small in [claim.task_id for bundle in desk.next(threads=2) for claim in bundle]


def test_what_is_over_leaves_no_shards(desk: Desk) -> None:
    kept, over = divided(desk), divided(desk)
    with unit_of_work() as unit:
        ending.cancel(unit, [over])
    desk.sql("UPDATE tasks SET finished_at = now() - interval '2 days' WHERE id = :id", id=over)
    clock.tick(clock.TIDY)
    assert desk.sql("SELECT DISTINCT task_id FROM shards") == [(kept,)]


def test_a_task_that_is_not_divided_never_touches_the_table_of_shards(desk: Desk) -> None:
    (task_id,) = desk.submit()
    with database.transaction() as session:
        session.execute(text("ALTER TABLE shards RENAME TO gone"))
    desk.within(work.advance, Advance(desk.held(task_id)))
    assert desk.row(task_id).status == "completed"
