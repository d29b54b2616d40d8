"""Many documents over HTTP: listed by a filter, and deleted by one, with a preview and as a task."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from falcon import asgi
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from sqlalchemy.orm import Session

from api import requests
from api.access import callers
from api.bulkheads.pools import SEARCHING
from api.description import schemas
from api.description.operation import operation
from api.problems import Invalid, problem
from api.resources.many.asking import ALL, PREVIEWED, within_filter
from api.resources.tasks import answer
from documents.storing import catalogue, filter
from documents.storing.catalogue import Listed, Mark, Wanted
from documents.storing.filter import Filter
from models.base import Json
from sentences import say
from tasks.accepting.submission import Submission, submit
from tasks.input.bounds import storable
from tasks.input.fields import DocumentState, Name
from tasks.transactions.group_commit import GroupCommit
from tasks.types.documents_deletion import TYPE, DocumentFields, DocumentFilter
from tasks.views import kbs, selection

#: Documents that a preview counts at most, and of which it shows some.
MOST_COUNTED, EXAMPLES = 10_000, 10

#: Documents that are looked at together for one state, and how often for a page.
AT_ONCE, ROUNDS = 1000, 10

Sort = Literal["document_id", "-document_id", "updated_at", "-updated_at", "size", "-size"]


class DocumentsQuery(DocumentFields):
    """Which documents are listed, and in which order."""

    metadata: Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)] = Field(
        [],
        max_length=20,
        description="`name=value`: what their submissions said. Of one name any value, of several names all must fit.",
    )
    prefix: Annotated[Name, Field(min_length=1, max_length=512)] | None = Field(
        None, description="With which their ids begin."
    )
    sort: Sort = Field("document_id", description="With `-` from the last to the first.")
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None

    _can_be_stored = field_validator("metadata")(storable)

    @field_validator("metadata")
    @classmethod
    def _have_a_name(cls, metadata: list[str]) -> list[str]:
        if not all(pair.partition("=")[1] and pair.partition("=")[0] for pair in metadata):
            raise ValueError(say("name_value"))
        return metadata

    def wanted(self) -> Wanted:
        """Return the filter without the state."""
        said: dict[str, list[Any]] = {}
        for name, _, value in (pair.partition("=") for pair in self.metadata):
            said.setdefault(name, []).extend([value, *_as_json(value)])
        chosen = Filter(metadata=said, prefix=self.prefix, format=self.format, updated_after=self.updated_after)
        return Wanted(chosen, self.sort.lstrip("-"), self.sort.startswith("-"))


def _as_json(value: str) -> list[Any]:
    """Return what else a value of a query string may mean: a number, true, false or null."""
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return []
    return [] if isinstance(parsed, (str, list, dict)) else [parsed]


def listed(session: Session, kb_id: str, query: DocumentsQuery) -> Json:
    """Return a page of a KB's documents, each with what is newer than what it shows."""
    wanted, after = query.wanted(), _mark(query.cursor, query.sort)
    wanted = replace(wanted, filter=wanted.filter.among(kbs.may_be_of(session, kb_id, query.state)))
    items: list[Json] = []
    for _ in range(ROUNDS):
        size = query.limit - len(items) if query.state is None else AT_ONCE
        page = catalogue.listed(session, kb_id, wanted, limit=size, after=after)
        after = _take(session, kb_id, query, page, items)
        if after is None or query.state is None or len(items) == query.limit:
            break
    return {"items": items, "next_cursor": None if after is None else _cursor(after, query.sort)}


def _take(session: Session, kb_id: str, query: DocumentsQuery, page: Listed, items: list[Json]) -> Mark | None:
    """Add those of a page that are of the state that is asked for. Returns where to go on; None at the end."""
    newer = with_newer(session, kb_id, page.items)
    for number, (item, mark) in enumerate(zip(newer, page.marks, strict=True), 1):
        if query.state in (None, item["state"]):
            items.append(item)
        if len(items) == query.limit:
            return page.following if number == len(newer) else mark
    return page.following


def with_newer(session: Session, kb_id: str, documents: list[Json]) -> list[Json]:
    """Return documents with what was submitted after what they show: whether it is under way, or has failed."""
    newer = kbs.newer(session, kb_id, {document["document_id"]: UUID(document["task_id"]) for document in documents})
    return [document | newer[document["document_id"]] for document in documents]


def _cursor(mark: Mark, sort: Sort) -> str:
    if sort == "document_id":
        return requests.cursor(mark.document_id)
    return requests.cursor(json.dumps([sort, mark.value, mark.document_id]))


def _mark(cursor: str | None, sort: Sort) -> Mark | None:
    """Return where a page goes on.

    Raises:
      Invalid: the cursor is none of this service, or of another order.
    """
    if sort == "document_id":
        document_id = requests.from_cursor(cursor, str)
        return None if document_id is None else Mark(document_id, document_id)

    def read(text: str) -> Mark:
        said = json.loads(text)
        if not (isinstance(said, list) and len(said) == 3 and said[0] == sort and all(map(_is_text, said))):
            raise ValueError(say("other_order"))
        return Mark(said[1], said[2])

    return requests.from_cursor(cursor, read)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


class DocumentsRequest(BaseModel):
    """Which documents are meant, and whether it is only to be previewed."""

    model_config = ConfigDict(extra="forbid")

    filter: DocumentFilter = Field(DocumentFilter(), description="Which documents.")
    all: bool = ALL
    dry_run: bool = Field(False, description="Answer how many there are, and change nothing.")


def _understood(body: object) -> DocumentsRequest:
    request = requests.fit(DocumentsRequest, body)
    if not request.filter.named() and not request.all:
        raise Invalid([problem("filter", say("filter_empty"))])
    return request


class DeleteDocuments:
    """`/kbs/{kb_id}/documents/delete`"""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    @operation(
        "Delete documents by a filter, which is that of `GET /kbs/{kb_id}/documents`, or by their `ids`.",
        {200: PREVIEWED, 202: "The task that deletes them."},
        id="delete_documents",
        tag="documents",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=DocumentsRequest,
        example={"filter": {"prefix": "2024/"}, "dry_run": True},
        response=schemas.AcceptedTask,
        besides={200: schemas.DocumentsPreview},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, kb_id: str) -> None:
        request = await requests.body(req, partial(within_filter, DocumentsRequest, _understood))
        key = requests.idempotency_key(req, request)
        if request.dry_run:
            resp.media = await requests.read(_preview, kb_id, request.filter, pool=SEARCHING)
            return
        task = {"task_type": TYPE.name, "kb_id": kb_id, "payload": request.filter.named() | {"all": request.all}}
        submission = requests.fit(Submission, task)
        submission.under(key).by(callers.actor(req))
        answer(resp, await requests.committed(self._commits, submit, submission))


def _preview(session: Session, kb_id: str, meant: DocumentFilter) -> Json:
    chosen = Filter(meant.ids, meant.metadata or {}, meant.prefix, meant.format, meant.updated_after)
    with selection.hurried(session, "count"):
        if meant.state is None:
            count = filter.count(session, kb_id, chosen, MOST_COUNTED + 1)
            examples = list(filter.shown(session, kb_id, chosen, limit=EXAMPLES))
            return {"count": min(count, MOST_COUNTED), "capped": count > MOST_COUNTED, "examples": examples}
        document_ids, are_all = _of_state(session, kb_id, chosen, meant.state)
    return {"count": len(document_ids), "capped": not are_all, "examples": document_ids[:EXAMPLES]}


def _of_state(session: Session, kb_id: str, chosen: Filter, state: DocumentState) -> tuple[list[str], bool]:
    """Return the first documents of a filter and of a state, and whether there can be no others."""
    chosen = chosen.among(kbs.may_be_of(session, kb_id, state))
    ids: list[str] = []
    after = ""
    for _ in range(ROUNDS):
        shown = filter.shown(session, kb_id, chosen, limit=AT_ONCE, after=after)
        ids += kbs.of_state(session, kb_id, shown, state)
        if len(shown) < AT_ONCE:
            return ids, True
        after = next(reversed(shown))
    return ids, False
