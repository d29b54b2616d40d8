"""The stage of `kb_deletion` tasks: takes away a KB a part at a time, until nothing of it is left."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from documents.files import originals
from documents.files.storage import storage
from documents.storing import dead_versions, kb_removal
from documents.storing.kb_removal import Place
from models import audit, database, schedule
from models.base import Json
from settings import settings
from tasks.ending import ending, retention
from tasks.transactions.unit import Unit
from tasks.views.reading import submitted_after
from tasks.working.claim import Advance
from worker.holding import HandBack
from worker.stage import Work, stage

#: Tasks that are ended in one transaction, documents that are taken out of the index, and versions that are looked at.
AT_ONCE = 500
#: Originals that are deleted in one transaction. While it is open, no stream tells what was committed meanwhile.
FILES_AT_ONCE = 20


@stage
def kb_deletion(work: Work) -> Advance:
    """Remove all that was submitted before the deletion; what was submitted later stays.

    The mark comes first: nothing older is shown from then on, whoever works on it. Each part that follows finds what
    is left, so a resumed stage goes on where the last one ended. Large KBs may take hours, so it has no end by
    `timeout`: when that is near, it goes back to the queue, behind others.
    """
    with work.transaction() as session:
        kb_removal.mark(session, work.kb_id, work.claim.submitted_at)
        schedule.forget_kb(session, work.kb_id, work.claim.submitted_at)
        units = kb_removal.versions(session, work.kb_id)
    _end_tasks(work)
    _delete_sources(work)
    _remove_documents(work)
    _sweep_versions(work, units)

    def finish(unit: Unit) -> Json:
        audit.record_of_task(unit.session, work.task_id, "kb.delete", "kb", work.kb_id)
        return {"kb_id": work.kb_id, "documents_left": kb_removal.finish(unit.session, work.kb_id, asked_at)}

    asked_at = work.claim.submitted_at
    return work.done(units=units, within=finish)


def _go_on(work: Work) -> None:
    """Between two parts: go on, or not.

    Raises:
      HandBack: half of the timeout is over; and what `Work.check` raises.
    """
    work.check()
    if work.seconds_left < work.claim.timeout / 2:
        raise HandBack


def _end_tasks(work: Work) -> None:
    """End the KB's tasks that were submitted before, whoever works on them."""
    ended = AT_ONCE
    while ended == AT_ONCE:
        _go_on(work)
        with work.unit() as unit:
            ended = ending.overtake_kb(unit, work.kb_id, work.task_id, AT_ONCE)


def _delete_sources(work: Work) -> None:
    """Delete the uploads and headers of the KB's tasks that may still be kept; the clock has deleted the others.

    So it is with originals of which no version came.
    """
    after = None
    while True:
        _go_on(work)
        with database.transaction() as session:
            ended = retention.lately_ended(session, work.kb_id, work.task_id, AT_ONCE, after)
        if not ended:
            return
        _delete_from_storage(work, ended)
        with work.transaction() as session:
            retention.forget_headers_of(session, ended)
        _delete_originals(work, ended)
        after = ended[-1]


def _delete_originals(work: Work, ids: Sequence[UUID]) -> None:
    """Delete those of some originals that no version holds, a few in each transaction: a bucket takes its time."""
    for start in range(0, len(ids), FILES_AT_ONCE):
        _go_on(work)
        with work.transaction() as session:
            originals.forget_unheld(session, settings(), ids[start : start + FILES_AT_ONCE])


def _delete_from_storage(work: Work, upload_ids: Sequence[UUID]) -> None:
    storage(settings(), work.transaction).delete_all(upload_ids)


def _remove_documents(work: Work) -> None:
    """Take out of the index what was submitted before."""
    after = ""
    while True:
        _go_on(work)
        with database.transaction() as session:
            shown = kb_removal.shown(session, work.kb_id, after, AT_ONCE)
            later = submitted_after(session, [document.origin for document in shown], work.claim.submitted_at)
        if not shown:
            return
        doomed = [document for document in shown if document.origin not in later]
        _delete_from_storage(work, [document.origin for document in doomed])
        with work.transaction() as session:
            kb_removal.remove(session, work.kb_id, doomed)
        after = shown[-1].document_id


def _sweep_versions(work: Work, units: int) -> None:
    """Delete versions that nothing points at any more, and their chunks, drafts, vectors and originals."""
    after, swept = Place("", UUID(int=0)), 0
    while True:
        with database.transaction() as session:
            unshown = kb_removal.unshown(session, work.kb_id, after, AT_ONCE)
            later = submitted_after(session, [version.task_id for version in unshown], work.claim.submitted_at)
        if not unshown:
            return
        gone = [version for version in unshown if version.task_id not in later]
        doomed = [version.version_id for version in gone]
        kept = [version.original for version in gone if version.original is not None]
        left = len(doomed)
        while left:
            _go_on(work)
            with work.transaction() as session:
                left = dead_versions.delete_versions(session, doomed)
        # Whoever goes on after a worker that died here no longer knows whose they were: the clock deletes them then.
        _delete_originals(work, kept)
        swept += len(doomed)
        work.report(swept, units)
        after = unshown[-1].place
