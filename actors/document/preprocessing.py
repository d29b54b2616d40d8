"""Stage 1: the document's bytes are fetched, checked and read; its text is kept as a version.

An archive of documents becomes a batch of tasks instead, one for each of its members. A long PDF is read in shards:
each leaves its pages, and the worker of the last one makes the text of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from uuid import UUID

from actors.document import single_pass
from actors.document.indexing import document_result
from documents.files import originals, scratch, source
from documents.files.originals import Small
from documents.files.source import Source
from documents.files.storage import storage
from documents.reading.archive import kind_of_file
from documents.reading.unpacking import Unpacked
from documents.sandbox.pool import Cancelled
from documents.storing import index, publication
from documents.text import Extracted
from errors import TaskError
from models import Version, database
from models.base import Json, new_id
from settings import settings
from tasks.accepting.submission import Member
from tasks.transactions.unit import Unit
from tasks.types.document_processing import document_id_of, member_payload, parameters_of
from tasks.working import claiming, shards
from tasks.working.claim import Advance
from tasks.working.work import timings
from worker.process import PROCESS
from worker.stage import Work, stage

#: A PDF of more pages than this is shared between workers, in shards of so many pages.
UNDIVIDED = 200
SHARD = 100


@stage
def preprocessing(work: Work) -> Advance:
    """Turn bytes into text."""
    if work.shard:
        return _read_part(work, work.shard.units)
    if work.joins:
        return _join(work)
    payload = work.payload
    opening = publication.opening(work.kb_id, document_id_of(payload))
    with _folder(work) as folder:
        fetched = source.fetch(
            payload,
            settings(),
            folder,
            headers=_headers(work),
            cancelled=work.interrupted,
            timeout=work.seconds_left,
        )
        if opening.replaces and (unchanged := _unchanged(work, fetched)):
            return unchanged
        if kind_of_file(fetched.path) and (unpacked := _unpacked(work, fetched, folder)):
            return _members(work, unpacked)
        splitting = single_pass.splitting(work, fetched, opening)
        reading = PROCESS.sandbox.read(
            fetched.path,
            filename=fetched.filename,
            content_type=fetched.content_type,
            encoding=payload.get("encoding"),
            at_once=UNDIVIDED,
            splitting=splitting,
            timeout=work.seconds_left,
            cancelled=work.interrupted,
        )
        extracted = reading.extracted
        if extracted.unread and payload.get("upload_id") is None:
            source.keep(fetched.path, settings(), work.task_id, work.transaction)
        version, original = _version(work, fetched, extracted)
    # A child says what it will; whether there may be a pass was decided here.
    passes = splitting is not None and reading.pieces is not None
    if passes and (advance := single_pass.through(work, version, reading, opening, original)):
        return advance
    with work.unit() as unit:
        changed = extracted.unread and index.digest(unit.session, work.task_id) != fetched.sha256
        index.write_version(unit.session, version)
        if original:
            original.write(unit.connection, work.task_id)
    if extracted.unread:
        return work.divide(shards.ranges(extracted.pages or 1, SHARD), anew=changed)
    return work.done(units=extracted.pages or 1)


def _headers(work: Work) -> dict[str, str] | None:
    """Return what the document's URL is to be fetched with, which is kept apart from the payload."""
    if "header_names" not in work.payload:
        return None
    with database.transaction() as session:
        headers = claiming.source_headers(session, work.claim)
    if headers is None:
        raise TaskError(
            "not_found", "what its URL is fetched with is kept no longer; submit it again, with its headers"
        )
    return headers


def _version(work: Work, fetched: Source, extracted: Extracted) -> tuple[Version, Small | None]:
    """Return the version of a document that was read, and its original, if that is to be kept and is small.

    A large original is kept here.
    """
    facts: Json = {}
    original = None
    if settings().keep_originals:
        facts = {"original": work.task_id, "content_type": fetched.content_type}
        original = originals.small(fetched, settings())
        if original is None:
            originals.keep(fetched.path, settings(), work.task_id, work.transaction)
    version = index.version(
        work.task_id,
        extracted,
        kb_id=work.kb_id,
        document_id=document_id_of(work.payload),
        filename=fetched.filename,
        size=fetched.size,
        sha256=fetched.sha256,
        parameters=parameters_of(work.payload),
        **facts,
    )
    return version, original


def _unchanged(work: Work, fetched: Source) -> Advance | None:
    """End a task whose document is searchable as the same bytes, read and split the same way; else return None."""
    payload, document_id = work.payload, document_id_of(work.payload)
    if payload.get("force"):
        return None
    with database.transaction() as session:
        shown = index.shown_as(
            session, work.kb_id, document_id, fetched.sha256, parameters_of(payload), payload.get("embedder")
        )
    if shown is None:
        return None
    warning = f"unchanged: version {shown.number} was made of the same bytes in the same way; `force` makes it anew"

    def keep(unit: Unit) -> Json:
        index.describe(unit.session, work.kb_id, document_id, work.claim.metadata)
        return document_result(shown, timings(unit.session, work.claim), warning, number=shown.number, unchanged=True)

    return work.done(units=shown.pages or 1, within=keep, ends=True)


@contextmanager
def _folder(work: Work) -> Iterator[Path]:
    """Make a folder for as long as the work takes, which may be interrupted."""
    with scratch.folder() as folder:
        try:
            yield folder
        except Cancelled:
            raise work.interruption() from None


def _read_part(work: Work, pages: range) -> Advance:
    """Read some pages of a long PDF, as they are needed to put it together."""
    with _folder(work) as folder:
        upload_id = UUID(work.payload.get("upload_id") or str(work.task_id))
        path = source.fetch_kept(settings(), upload_id, folder)
        part = PROCESS.sandbox.read_part(path, pages, timeout=work.seconds_left, cancelled=work.interrupted)
    return work.done(part=part)


def _join(work: Work) -> Advance:
    """Make one text of the pages that all shards have left."""
    with _folder(work) as folder:
        parts = list(_parts(work, folder))
        extracted = PROCESS.sandbox.join(parts, timeout=work.seconds_left, cancelled=work.interrupted)
    with work.transaction() as session:
        known = index.facts(session, work.task_id)
        # Those of before are of the file's name; an earlier attempt at this may have written the others as well.
        extracted.warnings = list(dict.fromkeys([*known.warnings, *extracted.warnings]))
        version = index.version(
            work.task_id,
            extracted,
            kb_id=known.kb_id,
            document_id=known.document_id,
            filename=known.filename,
            size=known.size,
            sha256=known.sha256,
            parameters=known.parameters,
            original=known.original,
            content_type=known.content_type,
        )
        index.write_version(session, version)
    return work.done(units=extracted.pages or 1)


def _parts(work: Work, folder: Path) -> Iterator[Path]:
    """Yield what the shards have left, each in a file: never more than one is in memory."""
    for number in count():
        with database.transaction() as session:
            part = shards.result(session, work.claim, number)
        if part is None:
            return
        path = folder / str(number)
        path.write_bytes(part)
        yield path


def _unpacked(work: Work, fetched: Source, folder: Path) -> Unpacked | None:
    """Return the members of an archive, in files of `folder`; None for what is one document."""
    arguments = (str(fetched.path), fetched.filename, fetched.content_type, str(folder), settings().max_document_bytes)
    unpacked: Unpacked | None = PROCESS.sandbox.run(
        "documents.reading.unpacking:unpack", arguments, timeout=work.seconds_left, cancelled=work.interrupted
    )
    return unpacked


def _members(work: Work, unpacked: Unpacked) -> Advance:
    """Store each member as an upload of its own, under the id of the task that it becomes.

    Those that an attempt stored which died before its tasks were written are deleted as any upload without a task is.
    """
    members = []
    uploads = storage(settings())
    for number, entry in enumerate(unpacked.members, 1):
        work.check()
        member = Member(new_id(), member_payload(work.payload, entry.name))
        member.payload["upload_id"] = str(member.task_id)
        upload = uploads.writer(member.task_id, settings().max_document_bytes)
        upload.write(Path(entry.file).read_bytes())
        upload.finish()
        members.append(member)
        work.report(number, len(unpacked.members))
    result: Json = {"documents": len(members), "warnings": unpacked.warnings}
    return work.done(result, units=len(members), members=members)
