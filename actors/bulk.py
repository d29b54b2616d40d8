"""The stage of `bulk` tasks: does one thing to many tasks or callbacks, a few in each transaction."""

from __future__ import annotations

from models import database
from models.base import Json
from tasks.bulk import actions, items
from tasks.bulk.items import Totals
from tasks.transactions.unit import Unit
from tasks.types.bulk import Bulk
from tasks.working.claim import Advance
from worker.holding import HandBack
from worker.stage import Work, stage


@stage
def bulk(work: Work) -> Advance:
    """Collect what the bulk is for, then do it, item by item: one that was done is not met again by a resumed stage.

    It may take long, so it has no end by `timeout`: when that is near, it goes back to the queue.
    """
    wanted = Bulk.model_validate(work.payload)
    _collect(work, wanted)
    with database.transaction() as session:
        before = items.totals(session, work.task_id)
    _do(work, wanted, before)

    def summary(unit: Unit) -> Json:
        after = items.totals(unit.session, work.task_id)
        return {"action": wanted.action, "changed": after.changed, "refused": after.met - after.changed}

    return work.done(units=before.items, within=summary)


def _collect(work: Work, wanted: Bulk) -> None:
    """Note all that the bulk is for, from the newest to the oldest; a resumed stage goes on behind the last."""
    with database.transaction() as session:
        last = items.oldest(session, work.task_id)
    while True:
        _go_on(work)
        with work.transaction() as session:
            last = items.collect(session, work.task_id, wanted, work.claim.submitted_at, last)
        if last is None:
            return


def _do(work: Work, wanted: Bulk, totals: Totals) -> None:
    """Do to every item what is wanted, a page in each transaction."""
    met, last = totals.met, None
    while True:
        _go_on(work)
        with work.unit() as unit:
            ids = items.following(unit.session, work.task_id, wanted, last)
            if ids and not met:
                actions.record(unit, work.task_id, wanted, totals.items)
            items.record(unit.session, work.task_id, actions.act(unit, work.task_id, wanted, ids))
        if not ids:
            return
        met, last = met + len(ids), ids[-1]
        work.report(met, totals.items)


def _go_on(work: Work) -> None:
    work.check()
    if work.seconds_left < work.claim.timeout / 2:
        raise HandBack
