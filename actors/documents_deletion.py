"""The stage of `documents_deletion` tasks: takes many documents out of their KB, a few in each transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from documents.storing import deletions, filter, index
from documents.storing.filter import Filter
from models import audit, database
from models.base import Json
from tasks.ending import ending
from tasks.transactions.unit import Unit
from tasks.types.documents_deletion import DocumentsDeletion
from tasks.views import kbs
from tasks.views.reading import submitted_at
from tasks.working.claim import Advance
from worker.holding import HandBack
from worker.stage import Work, stage

#: Documents that go in one transaction, which holds the KB's lock.
AT_ONCE = 50
#: Documents that are counted for the progress.
MOST_COUNTED = 1_000_000


@stage
def documents_deletion(work: Work) -> Advance:
    """Remove the documents; search forgets each when its transaction commits, and a resumed stage removes the rest.

    As for one document, the order of submission decides: what was submitted later stays.
    """
    meant = DocumentsDeletion.model_validate(work.payload)
    with database.transaction() as session:
        chosen = _chosen(session, work, meant)
        before = deletions.count(session, work.kb_id, work.claim.submitted_at)
        units = before + filter.count(session, work.kb_id, chosen, MOST_COUNTED)
    with work.unit() as unit:
        # What is named may still have to come; only what has come has a format, a state and a time.
        _overtake(unit, work, [] if meant.format or meant.state or meant.updated_after else meant.ids or [])
    done, after = before, ""
    while True:
        work.check()
        if work.seconds_left < work.claim.timeout / 2:
            raise HandBack
        with work.unit() as unit:
            shown = filter.shown(unit.session, work.kb_id, chosen, limit=AT_ONCE, after=after)
            _remove(unit, work, kbs.of_state(unit.session, work.kb_id, shown, meant.state, before=work.task_id))
        if not shown:
            break
        done, after = done + len(shown), next(reversed(shown))
        work.report(done, units)

    def summary(unit: Unit) -> Json:
        deleted = deletions.count(unit.session, work.kb_id, work.claim.submitted_at)
        named = {**meant.named(), "all": meant.all}
        audit.record_of_task(unit.session, work.task_id, "documents.delete", "documents", filter=named, items=deleted)
        return {"deleted": deleted}

    return work.done(units=units, within=summary)


def _chosen(session: Session, work: Work, meant: DocumentsDeletion) -> Filter:
    """Return the filter without the state; where few documents can be of that, for these alone.

    What happened to a document after the request does not make it one of those that were meant.
    """
    until = work.claim.submitted_at if meant.updated_after else None
    chosen = Filter(meant.named_ids(), meant.metadata or {}, meant.prefix, meant.format, meant.updated_after, until)
    return chosen.among(kbs.may_be_of(session, work.kb_id, meant.state))


def _overtake(unit: Unit, work: Work, document_ids: Sequence[str]) -> None:
    """End the tasks that were to bring documents in, and were submitted before this one."""
    for document_id in sorted(document_ids):
        ending.overtake(unit, work.kb_id, document_id, "document_processing", by=work.task_id)


def _remove(unit: Unit, work: Work, document_ids: Sequence[str]) -> None:
    """Remove documents, but what was submitted later than this task."""
    # Rows of tasks before the KB's lock, for all of them.
    _overtake(unit, work, document_ids)
    index.lock_kb(unit.session, work.kb_id)
    for document_id in document_ids:
        origin = deletions.submission_shown(unit.session, work.kb_id, document_id)
        if origin is not None and submitted_at(unit.session, origin) <= work.claim.submitted_at:
            deletions.remove(unit.session, work.kb_id, document_id, work.claim.submitted_at)
