"""The one table of what each route asks of a key. What it does not allow is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from keys import Role

PREFIX = "/api/v1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

#: What of a route belongs to a KB, for a key that is bound to some:
#: - kb, task, batch: what its address names must be of one of them
#: - own: the resource keeps to them by itself (see `api.access.callers`)
#: - none: nothing is of any KB
#: - whole: all is of the whole deployment, and the key is refused
Scope = Literal["kb", "task", "batch", "own", "none", "whole"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a request needs.

    Parameters:
      role: the least that may; None: whoever comes, without a key.
    """

    role: Role | None
    scope: Scope = "none"


#: What needs no key, and counts against no rate limit.
_PUBLIC = (
    "/health",
    "/livez",
    "/readyz",
    "/metrics",
    # Its address holds a key.
    "/hirefire/{token}/info",
    "/openapi.json",
    "/docs",
    "/docs/errors",
    "/docs/{name}",
    "/preferences",
    "/sign-in",
    "/samples/{name}",
    "/static/{digest}/{name}",
)

#: The pages of the dashboard.
_PAGES: dict[str, tuple[Role, Scope]] = {
    "GET /": ("read", "whole"),
    "GET /plots": ("read", "whole"),
    "GET /tasks": ("read", "own"),
    "GET /tasks/{task_id}": ("read", "task"),
    "GET /batches": ("read", "own"),
    "GET /callbacks": ("read", "own"),
    "GET /errors": ("read", "own"),
    "GET /kbs": ("read", "own"),
    "GET /kbs/{kb_id}": ("read", "kb"),
    "GET /kbs/{kb_id}/documents/{document_id}": ("read", "kb"),
    "GET /audit": ("operate", "own"),
    "GET /queues": ("read", "whole"),
    "GET /workers": ("read", "whole"),
}

#: The other routes, below PREFIX.
_BELOW_PREFIX: dict[str, tuple[Role | None, Scope]] = {
    "POST /session": (None, "none"),
    "GET /session": ("scale", "none"),
    "DELETE /session": ("scale", "none"),
    "POST /tasks": ("submit", "own"),
    "GET /tasks": ("read", "own"),
    "POST /tasks/batch": ("submit", "own"),
    "POST /tasks/cancel": ("submit", "own"),
    "POST /tasks/retry": ("submit", "own"),
    "POST /tasks/prioritise": ("operate", "own"),
    "POST /tasks/reingest": ("submit", "own"),
    "GET /tasks/{task_id}": ("read", "task"),
    "DELETE /tasks/{task_id}": ("submit", "task"),
    "POST /tasks/{task_id}/retry": ("submit", "task"),
    "GET /tasks/{task_id}/why": ("read", "task"),
    "POST /tasks/{task_id}/undo": ("operate", "task"),
    "GET /tasks/{task_id}/items": ("read", "task"),
    "GET /tasks/{task_id}/callbacks": ("read", "task"),
    "POST /tasks/{task_id}/callbacks/{callback_id}/redeliver": ("operate", "task"),
    "GET /tasks/{task_id}/events": ("read", "task"),
    "POST /schedules": ("operate", "own"),
    "GET /schedules": ("read", "own"),
    "GET /schedules/{schedule_id}": ("read", "own"),
    "PATCH /schedules/{schedule_id}": ("operate", "own"),
    "DELETE /schedules/{schedule_id}": ("operate", "own"),
    "POST /schedules/{schedule_id}/pause": ("operate", "own"),
    "POST /schedules/{schedule_id}/resume": ("operate", "own"),
    "POST /schedules/{schedule_id}/run": ("operate", "own"),
    "GET /batches": ("read", "own"),
    "POST /batches/cancel": ("submit", "own"),
    "POST /batches/retry": ("submit", "own"),
    "GET /batches/{batch_id}": ("read", "batch"),
    "DELETE /batches/{batch_id}": ("submit", "batch"),
    "GET /batches/{batch_id}/callbacks": ("read", "batch"),
    "POST /batches/{batch_id}/callbacks/{callback_id}/redeliver": ("operate", "batch"),
    "GET /callbacks": ("read", "own"),
    "POST /callbacks/redeliver": ("operate", "own"),
    "GET /batches/{batch_id}/events": ("read", "batch"),
    "GET /events": ("read", "own"),
    "GET /kbs": ("read", "own"),
    "GET /kbs/{kb_id}": ("read", "kb"),
    "PATCH /kbs/{kb_id}": ("operate", "kb"),
    "DELETE /kbs/{kb_id}": ("operate", "kb"),
    "POST /kbs/{kb_id}/documents": ("submit", "kb"),
    "GET /kbs/{kb_id}/documents": ("read", "kb"),
    "POST /kbs/{kb_id}/documents/delete": ("submit", "kb"),
    "GET /kbs/{kb_id}/documents/{document_id}": ("read", "kb"),
    "DELETE /kbs/{kb_id}/documents/{document_id}": ("submit", "kb"),
    "GET /kbs/{kb_id}/documents/{document_id}/chunks": ("read", "kb"),
    "GET /kbs/{kb_id}/documents/{document_id}/chunks/{index}": ("read", "kb"),
    "PATCH /kbs/{kb_id}/documents/{document_id}": ("submit", "kb"),
    "GET /kbs/{kb_id}/documents/{document_id}/text": ("read", "kb"),
    "GET /kbs/{kb_id}/documents/{document_id}/original": ("read", "kb"),
    "POST /kbs/{kb_id}/search": ("read", "kb"),
    "POST /search": ("read", "own"),
    "POST /chunk-preview": ("read", "none"),
    "POST /queues/{name}/pause": ("operate", "whole"),
    "POST /queues/{name}/resume": ("operate", "whole"),
    "GET /audit": ("operate", "own"),
    "GET /stats/workers": ("read", "whole"),
    "GET /stats/queues": ("read", "whole"),
    "GET /stats/overview": ("read", "whole"),
    "GET /stats/history": ("read", "whole"),
    "GET /stats/errors": ("read", "own"),
    "GET /stats/scale": ("scale", "whole"),
    "GET /health": ("scale", "none"),
}

#: By method and template, as Falcon's router names what it found.
RULES: dict[tuple[str, str], Rule] = {
    **{("GET", path): Rule(None) for path in _PUBLIC},
    **{
        (route.split()[0], prefix + route.split()[1]): Rule(role, scope)
        for prefix, table in (("", _PAGES), (PREFIX, _BELOW_PREFIX))
        for route, (role, scope) in table.items()
    },
}
#: The templates of which everything is public.
PUBLIC = frozenset(path for _, path in RULES) - {path for (_, path), rule in RULES.items() if rule.role is not None}


def rule_of(method: str, template: str) -> Rule:
    """Return what a request needs. A method that the route has not is answered so to any key."""
    entry = RULES.get(("GET" if method == "HEAD" else method, template))
    return entry or Rule(None if template in PUBLIC else "scale")


def is_public(method: str, template: str) -> bool:
    """Return whether a request needs no key."""
    return rule_of(method, template).role is None


def check(routes: Iterable[tuple[str, Any]]) -> None:
    """Compare the table with the routes.

    Raises:
      RuntimeError: naming what only one of them has; the service must not start.
    """
    answered = {(method, path) for path, resource in routes for method in METHODS if _answers(resource, method)}
    if wrong := sorted(f"{method} {path}" for method, path in answered ^ RULES.keys()):
        raise RuntimeError(f"api/access/rules.py and the routes of api/app.py disagree about {', '.join(wrong)}")


def _answers(resource: object, method: str) -> bool:
    return hasattr(resource, f"on_{method.lower()}")
