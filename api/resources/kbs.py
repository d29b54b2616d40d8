"""KBs over HTTP: what there is, what each holds, and what is set for it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Annotated, Literal

import falcon
from falcon import asgi
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.orm import Session

from api import requests
from api.access import callers
from api.bulkheads.pools import SEARCHING
from api.description import schemas
from api.description.operation import operation
from api.problems import Denied, Invalid, problem
from api.resources.tasks import answer
from documents.embedding.prices import cost
from documents.searching.synonyms import LONGEST_TERM, MOST_GROUPS, MOST_OF_GROUP, MOST_TERMS, distinct, says_something
from documents.storing import deletions
from documents.storing import kbs as stored
from documents.storing.index import lock_kb
from documents.storing.kbs import Sums
from keys import webhook_secret
from models import Kb as KbRow
from models import audit
from models.base import Json, rfc3339
from models.kb import AMONG, NAMED, settings_of
from models.kb import change as change_settings
from sentences import say
from settings import Provider, settings
from tasks.accepting.submission import Submission, submit
from tasks.input.bounds import storable
from tasks.input.fields import CallbackAddress, Name
from tasks.transactions.group_commit import GroupCommit
from tasks.transactions.unit import unit_of_work
from tasks.types.document_processing import CHUNKING, Reading
from tasks.views import kbs as worked_on
from tasks.views.selection import hurried

#: Characters of an id, as submissions have it.
LONGEST_KB_ID = 255
#: Documents of a KB that are added up: of one that is looked at alone, and of each in a list.
MOST_OF_ONE, MOST_OF_EACH = 100_000, 10_000
#: Tasks of each status that are counted.
MOST_TASKS = 10_000


class KbQuery(BaseModel):
    """Which KBs are to be listed."""

    model_config = ConfigDict(extra="forbid")

    prefix: Name | None = Field(None, max_length=LONGEST_KB_ID, description="With which their ids begin.")
    task_status: Literal["waiting", "queued", "processing", "failed"] | None = Field(
        None, description="Of one of its tasks at least."
    )
    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = None


class Kbs:
    """`/kbs`"""

    @operation(
        "List the KBs in the order of their ids.",
        {
            200: "A page. A sum that is named in `at_least` may be larger.",
            422: "Too many would have to be looked through.",
        },
        id="list_kbs",
        tag="kbs",
        description="A page may hold fewer than `limit`; the last has no `next_cursor`.",
        query=KbQuery,
        response=schemas.KbPage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        query = requests.query(req, KbQuery)
        resp.media = await requests.read_much(page, callers.key(req).kbs, query, pool=SEARCHING)


def _term(term: str) -> str:
    if not says_something(term):
        raise ValueError(say("empty_term"))
    return storable(term).strip()


def _group(terms: list[str]) -> list[str]:
    if distinct(terms) < 2:
        raise ValueError(say("one_term"))
    return terms


def _groups(groups: list[list[str]] | None) -> list[list[str]] | None:
    if (count := sum(map(len, groups or []))) > MOST_TERMS:
        raise ValueError(say("too_many_terms", count=count, most=MOST_TERMS))
    return groups or None


Term = Annotated[str, Field(max_length=LONGEST_TERM), AfterValidator(_term)]
Synonyms = Annotated[list[Term], Field(max_length=MOST_OF_GROUP), AfterValidator(_group)]


class KbChange(BaseModel):
    """What documents and tasks of a KB inherit where a submission does not say it; null takes it back."""

    model_config = ConfigDict(extra="forbid")

    chunk_size: int | None = Field(None, ge=50, le=20_000, description="For documents that say no `chunk_…` at all.")
    chunk_overlap: int | None = Field(None, ge=0)
    chunk_unit: Literal["characters", "tokens"] | None = None
    embedder: Provider | None = Field(
        None, description="What an empty KB begins with. One with documents is changed by a `kb_reindex` task."
    )
    weight: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Turns that its tasks get where those of another KB get one, within a priority. Null: 1.",
    )
    callback_url: CallbackAddress | None = None
    callback_secret: Annotated[SecretStr | None, AfterValidator(webhook_secret)] = Field(
        None, description="`whsec_…`, in place of CALLBACK_SECRET; two while one replaces the other. Never shown again."
    )
    synonyms: Annotated[list[Synonyms] | None, Field(max_length=MOST_GROUPS), AfterValidator(_groups)] = Field(
        None,
        description="Groups of terms that mean the same in this KB: a search for one finds the others by their words,"
        f" from the next one on. {MOST_TERMS:,} terms at most in all. They replace those that were set before.",
    )


class Kb:
    """`/kbs/{kb_id}`"""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    @operation(
        "Show a KB: what it holds, how its vectors are searched, and its tasks that are open or have failed.",
        {
            200: "A sum that is named in `at_least` may be larger.",
            404: "It has no document, nothing is set for it, and no task of it is open or has failed.",
        },
        id="get_kb",
        tag="kbs",
        response=schemas.Kb,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, kb_id: str) -> None:
        counted = await requests.read(look, [kb_id], MOST_OF_ONE, pool=SEARCHING)
        if not counted:
            raise requests.missing("KB", kb_id)
        resp.media = counted[0]

    @operation(
        "Change what is set for a KB; there is one from then on.",
        {
            200: "The KB as it is now.",
            409: "Its documents have another embedder.",
        },
        id="change_kb",
        tag="kbs",
        request=KbChange,
        response=schemas.Kb,
        example={"chunk_size": 500, "synonyms": [["VPN", "virtual private network"], ["报销", "费用报销"]]},
    )
    async def on_patch(self, req: asgi.Request, resp: asgi.Response, kb_id: str) -> None:
        if len(kb_id) > LONGEST_KB_ID:
            raise Invalid([problem("kb_id", say("kb_id_length", most=LONGEST_KB_ID))])
        change = await requests.body(req, lambda body: requests.fit(KbChange, body))
        if "weight" in change.model_fields_set and callers.key(req).kbs is not None:
            raise Denied("forbidden_kb", say("weight_of_all", name=callers.key(req).name))

        def write() -> Json:
            with unit_of_work() as unit:
                names = _change(unit.session, kb_id, change)
                audit.record(unit.session, callers.actor(req), "kb.change", "kb", kb_id, kb_id=kb_id, fields=names)
                return look(unit.session, [kb_id], MOST_OF_ONE)[0]

        resp.media = await requests.beside(write)

    @operation(
        "Delete a KB with all that was submitted to it before. What is submitted from now on stays.",
        {202: "The task that does it is accepted and durable.", 404: "There is no such KB."},
        id="delete_kb",
        tag="kbs",
        takes=("IdempotencyKey",),
        gives=("Location",),
        response=schemas.AcceptedTask,
    )
    async def on_delete(self, req: asgi.Request, resp: asgi.Response, kb_id: str) -> None:
        if not await requests.read(look, [kb_id], 1, pool=SEARCHING):
            raise requests.missing("KB", kb_id)
        submission = Submission(task_type="kb_deletion", kb_id=kb_id).by(callers.actor(req))
        submission.under(requests.idempotency_key(req, submission))
        answer(resp, await requests.committed(self._commits, submit, submission))


def _change(session: Session, kb_id: str, change: KbChange) -> list[str]:
    """Write what is set for a KB. Returns the names of what was said.

    Raises:
      Invalid: what is set does not fit together.
      falcon.HTTPConflict: the KB has documents of another embedder.
    """
    lock_kb(session, kb_id)
    said = change.model_dump(exclude_unset=True)
    values: Json = {name: value for name, value in said.items() if name not in CHUNKING}
    if values.get("callback_secret") is not None:
        values["callback_secret"] = values["callback_secret"].get_secret_value()
    if values.get("embedder") is not None:
        _demand_embedder(stored.embedder_of_documents(session, kb_id), values["embedder"], kb_id)
    if values.get("weight") == 1:
        values["weight"] = None
    if CHUNKING.keys() & said.keys():
        before = settings_of(session, [kb_id]).get(kb_id)
        values["chunking"] = _chunking((before and before.chunking) or {}, said)
    change_settings(session, kb_id, values)
    return sorted(said)


def _chunking(before: Json, said: Json) -> Json | None:
    """Return how documents of a KB are to be split; None where nothing is said of it any more.

    An overlap that the new size has no room for becomes the default, unless it is said.
    """
    rest = {name: value for name, value in before.items() if name not in said}
    merged = rest | {name: said[name] for name in CHUNKING if said.get(name) is not None}
    if not merged:
        return None
    if "chunk_overlap" not in said and rest.get("chunk_overlap", 0) >= merged.get("chunk_size", CHUNKING["chunk_size"]):
        del merged["chunk_overlap"]
    return requests.fit(Reading, merged).model_dump(include=set(CHUNKING))


def _demand_embedder(present: str | None, wanted: str, kb_id: str) -> None:
    if present is not None and present.partition(":")[0] != wanted:
        raise falcon.HTTPConflict(description=say("other_embedder", kb_id=kb_id, present=present, wanted=wanted))


def page(session: Session, bound: Iterable[str] | None, query: KbQuery) -> Json:
    """Return those of the next ids that are KBs still: ended tasks name KBs that have gone.

    Parameters:
      bound: the KBs that a key is bound to; None: all.

    Raises:
      tasks.views.selection.TooMany: it took too long.
    """
    after, limit = requests.from_cursor(query.cursor, str) or "", query.limit
    wanted: Json = {"after": after, "limit": limit + 1, "prefix": query.prefix, "task_status": query.task_status}
    filtered = query.prefix is not None or query.task_status is not None
    with hurried(session, "find") if filtered else nullcontext():
        named = list(session.scalars(*((NAMED, wanted) if bound is None else (AMONG, wanted | {"kb_ids": [*bound]}))))
        items = look(session, named[:limit], MOST_OF_EACH)
    return {"items": items, "next_cursor": requests.cursor(named[limit - 1]) if len(named) > limit else None}


def look(session: Session, kb_ids: list[str], most: int) -> list[Json]:
    """Return those of these KBs that there are, in the same order."""
    sums = stored.sums(session, kb_ids, most)
    set_for = settings_of(session, kb_ids)
    deleted = deletions.of_kbs(session, kb_ids)
    tasks = worked_on.counts(session, kb_ids, MOST_TASKS, deleted)
    return [
        {**_shown(kb_id, sums.get(kb_id), tasks[kb_id], most), "settings": _settings(set_for.get(kb_id))}
        for kb_id in kb_ids
        if kb_id in sums or kb_id in set_for or any(tasks[kb_id].values())
    ]


def _settings(kb: KbRow | None) -> Json:
    chunking = (kb and kb.chunking) or {}
    return {
        **{name: chunking.get(name) for name in CHUNKING},
        "embedder": kb.embedder if kb else None,
        "weight": (kb and kb.weight) or 1,
        "callback_url": kb.callback_url if kb else None,
        "has_callback_secret": bool(kb and kb.callback_secret),
        "synonyms": (kb and kb.synonyms) or [],
    }


def _shown(kb_id: str, sums: Sums | None, tasks: dict[str, int], most: int) -> Json:
    at_least = [f"tasks.{status}" for status, count in tasks.items() if count == MOST_TASKS]
    if sums is not None and sums.documents == most:
        at_least = ["documents", "chunks", "bytes", "tokens_embedded", "estimated_cost", *at_least]
    return {
        "kb_id": kb_id,
        "documents": sums.documents if sums else 0,
        "chunks": sums.chunks if sums else 0,
        "bytes": sums.bytes if sums else 0,
        "embedder": sums.embedder if sums else None,
        "tokens_embedded": sums.tokens_embedded if sums else 0,
        "estimated_cost": cost(sums.embedder, sums.tokens_embedded, settings()) if sums else 0.0,
        "index": {"state": sums.index if sums else "exact", "chunks": sums.indexed if sums else 0},
        "tasks": tasks,
        "at_least": at_least,
        "created_at": rfc3339(sums.created_at) if sums else None,
        "updated_at": rfc3339(sums.updated_at) if sums else None,
    }
