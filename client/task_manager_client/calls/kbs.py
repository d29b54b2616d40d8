"""Knowledge bases, and searches in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from task_manager_client.answers.documents import Found, Kb
from task_manager_client.answers.tasks import AcceptedTask
from task_manager_client.calls.options import KbFilter, SearchOptions
from task_manager_client.core.call import Call, Page, as_json, at, get, get_page, post, shaped, without_none


def list_kbs(*, page_size: int = 100, cursor: str | None = None, **filter: Unpack[KbFilter]) -> Call[Page[Kb]]:
    """List the KBs, by id."""
    return get_page(at("kbs"), Kb, limit=page_size, cursor=cursor, **filter)


def get_kb(kb_id: str) -> Call[Kb]:
    """Read what a KB holds, and what is set for it."""
    return get(at("kbs", kb_id), Kb)


def change_kb(kb_id: str, **settings: object) -> Call[Kb]:
    """Set what the documents and tasks of a KB inherit: `chunk_size`, `chunk_overlap`, `chunk_unit`, `embedder`,
    `callback_url`, `callback_secret`, `synonyms` (groups of terms, which searches take for one), `weight` (turns that
    its tasks get where those of another KB get one). None takes a setting back."""
    return Call("PATCH", at("kbs", kb_id), shaped(Kb), body=as_json(settings))


def delete_kb(kb_id: str) -> Call[AcceptedTask]:
    """Delete a KB with all that it holds. It is a task."""
    call = post(at("kbs", kb_id), shaped(AcceptedTask), once=True)
    return call.with_method("DELETE")


def search_kb(kb_id: str, query: str, **options: Unpack[SearchOptions]) -> Call[Found]:
    """Find the passages of a KB that answer a query best."""
    body = {"query": query, **without_none(**options)}
    return post(at("kbs", kb_id, "search"), shaped(Found), body, repeatable=True)


def search_kbs(kbs: Sequence[str], query: str, **options: Unpack[SearchOptions]) -> Call[Found]:
    """Find the passages of several KBs that answer a query best."""
    body = {"kbs": list(kbs), "query": query, **without_none(**options)}
    return post(at("search"), shaped(Found), body, repeatable=True)
