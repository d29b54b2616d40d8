"""The application: every route on one screen, and what the resources share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import falcon
import falcon.asgi
import msgspec

from api import problems
from api.access import rules
from api.access.limits import Admission, RateLimit
from api.access.middleware import Access
from api.access.rules import PREFIX
from api.access.session import Sessions
from api.bulkheads.pools import LIMITS
from api.bulkheads.providers import Providers
from api.counting import Counting
from api.description import openapi
from api.description.error_page import ErrorPage
from api.description.page import Asset, Page, Specification
from api.resources.audit import Audit
from api.resources.callbacks import BatchCallbacks, BatchRedelivery, Callbacks, TaskCallbacks, TaskRedelivery
from api.resources.documents import Chunks, Document, Documents, OneChunk, Original, Text
from api.resources.events import BatchEvents, Events, TaskEvents
from api.resources.kbs import Kb, Kbs
from api.resources.many.batches import AllBatches, Batch, Batches
from api.resources.many.bulk import (
    Cancel,
    CancelBatches,
    Items,
    Prioritise,
    Redeliver,
    Reingest,
    Retry,
    RetryBatches,
    Undo,
)
from api.resources.many.documents import DeleteDocuments
from api.resources.many.schedules import Schedule, SchedulePause, ScheduleResume, ScheduleRun, Schedules
from api.resources.operations import Health, Live, Metrics, Pause, Queues, Ready, Resume, Workers
from api.resources.preview import ChunkPreview
from api.resources.search import Search, Searcher, SearchKbs
from api.resources.session import Session
from api.resources.statistics import Errors, HireFire, History, Overview, Scale
from api.resources.tasks import Task, TaskRetry, Tasks, TaskWhy
from api.streams import Hub
from settings import VERSION, Settings
from tasks.accepting.admission import Backlog
from tasks.transactions.group_commit import GroupCommit

Routes = list[tuple[str, Any]]

#: How the routes end on which a POST submits tasks.
SUBMITTING = ("/tasks", "/tasks/batch", "/documents", "/schedules/{schedule_id}/run")
#: Seconds that a submission waits for PostgreSQL before its client is told to try again.
PATIENCE = 5.0
#: Seconds between two messages that wake somebody for quick tasks, while submissions follow each other closely.
WAKES_EVERY = 0.02
#: The event streams of this process. They would outlast its stop: whoever serves it ends them.
HUB = Hub()


def _of_tasks(commits: GroupCommit, settings: Settings) -> Routes:
    """Return the routes of tasks, batches and their events."""
    return [
        (f"{PREFIX}/tasks", Tasks(commits)),
        (f"{PREFIX}/tasks/batch", Batches(commits)),
        (f"{PREFIX}/tasks/cancel", Cancel(commits)),
        (f"{PREFIX}/tasks/retry", Retry(commits)),
        (f"{PREFIX}/tasks/prioritise", Prioritise(commits)),
        (f"{PREFIX}/tasks/reingest", Reingest(commits)),
        (f"{PREFIX}/tasks/{{task_id}}", Task()),
        (f"{PREFIX}/tasks/{{task_id}}/retry", TaskRetry()),
        (f"{PREFIX}/tasks/{{task_id}}/why", TaskWhy()),
        (f"{PREFIX}/tasks/{{task_id}}/undo", Undo(commits)),
        (f"{PREFIX}/tasks/{{task_id}}/items", Items()),
        (f"{PREFIX}/tasks/{{task_id}}/callbacks", TaskCallbacks()),
        (f"{PREFIX}/tasks/{{task_id}}/callbacks/{{callback_id}}/redeliver", TaskRedelivery()),
        (f"{PREFIX}/schedules", Schedules()),
        (f"{PREFIX}/schedules/{{schedule_id}}", Schedule()),
        (f"{PREFIX}/schedules/{{schedule_id}}/pause", SchedulePause()),
        (f"{PREFIX}/schedules/{{schedule_id}}/resume", ScheduleResume()),
        (f"{PREFIX}/schedules/{{schedule_id}}/run", ScheduleRun()),
        (f"{PREFIX}/batches", AllBatches()),
        (f"{PREFIX}/batches/cancel", CancelBatches(commits)),
        (f"{PREFIX}/batches/retry", RetryBatches(commits)),
        (f"{PREFIX}/batches/{{batch_id}}", Batch()),
        (f"{PREFIX}/batches/{{batch_id}}/callbacks", BatchCallbacks()),
        (f"{PREFIX}/batches/{{batch_id}}/callbacks/{{callback_id}}/redeliver", BatchRedelivery()),
        (f"{PREFIX}/callbacks", Callbacks()),
        (f"{PREFIX}/callbacks/redeliver", Redeliver(commits)),
        (f"{PREFIX}/events", Events(HUB, settings.max_streams)),
        (f"{PREFIX}/tasks/{{task_id}}/events", TaskEvents(HUB, settings.max_streams)),
        (f"{PREFIX}/batches/{{batch_id}}/events", BatchEvents(HUB, settings.max_streams)),
    ]


def _of_documents(commits: GroupCommit, settings: Settings, counting: Counting) -> Routes:
    """Return the routes of KBs, their documents, and searches."""
    searcher = Searcher(Providers(settings), counting)
    return [
        (f"{PREFIX}/kbs", Kbs()),
        (f"{PREFIX}/kbs/{{kb_id}}", Kb(commits)),
        (f"{PREFIX}/kbs/{{kb_id}}/documents", Documents(commits, settings)),
        (f"{PREFIX}/kbs/{{kb_id}}/documents/delete", DeleteDocuments(commits)),
        (f"{PREFIX}/kbs/{{kb_id}}/documents/{{document_id}}", Document()),
        (f"{PREFIX}/kbs/{{kb_id}}/documents/{{document_id}}/chunks", Chunks()),
        (f"{PREFIX}/kbs/{{kb_id}}/documents/{{document_id}}/chunks/{{index}}", OneChunk()),
        (f"{PREFIX}/kbs/{{kb_id}}/documents/{{document_id}}/text", Text()),
        (f"{PREFIX}/kbs/{{kb_id}}/documents/{{document_id}}/original", Original(settings)),
        (f"{PREFIX}/kbs/{{kb_id}}/search", Search(searcher)),
        (f"{PREFIX}/search", SearchKbs(searcher)),
        (f"{PREFIX}/chunk-preview", ChunkPreview(settings)),
    ]


def _of_operators(sessions: Sessions, settings: Settings) -> Routes:
    """Return the routes that whoever runs the service needs."""
    return [
        (f"{PREFIX}/session", Session(sessions, settings.current_keys)),
        (f"{PREFIX}/queues/{{name}}/pause", Pause()),
        (f"{PREFIX}/queues/{{name}}/resume", Resume()),
        (f"{PREFIX}/audit", Audit()),
        (f"{PREFIX}/stats/workers", Workers()),
        (f"{PREFIX}/stats/queues", Queues()),
        (f"{PREFIX}/stats/overview", Overview()),
        (f"{PREFIX}/stats/history", History()),
        (f"{PREFIX}/stats/errors", Errors()),
        (f"{PREFIX}/stats/scale", Scale()),
        ("/hirefire/{token}/info", HireFire(settings.current_keys)),
        (f"{PREFIX}/health", Health()),
        ("/health", Health()),
        ("/livez", Live()),
        ("/readyz", Ready()),
        ("/metrics", Metrics(HUB, settings.max_streams)),
    ]


@dataclass(frozen=True, slots=True)
class Pages:
    """What is served besides REST.

    Parameters:
      as_page: shows a problem to a browser that asked for a page.
    """

    routes: Routes
    as_page: Callable[[Any, Any], None]


def create_app(settings: Settings, pages: Pages) -> falcon.asgi.App[Any, Any]:
    """Return the ASGI application. The database and the broker must have been set up for this process."""
    commits, sessions = (
        GroupCommit("submissions", PATIENCE, LIMITS, wakes_every=WAKES_EVERY),
        Sessions(settings.current_keys),
    )
    counting = Counting(commits)
    routes = _of_tasks(commits, settings) + _of_documents(commits, settings, counting)
    routes += _of_operators(sessions, settings)
    described = partial(openapi.document, [*routes], VERSION, rules.is_public)
    routes += [("/openapi.json", Specification(described)), ("/docs", Page()), ("/docs/errors", ErrorPage())]
    routes += [("/docs/{name}", Asset()), *pages.routes]
    rules.check(routes)
    limits: list[RateLimit | Admission] = [Admission(Backlog(settings.max_backlog), SUBMITTING)]
    if settings.rate_limit_per_minute:
        limits.insert(0, RateLimit(settings.rate_limit_per_minute))
    app: falcon.asgi.App[Any, Any] = falcon.asgi.App(
        middleware=[Access(settings.current_keys, sessions, limits, pages.as_page, counting)]
    )
    app.req_options.auto_parse_qs_csv = False
    for media_type in (falcon.MEDIA_JSON, problems.PROBLEM):
        app.resp_options.media_handlers[media_type] = falcon.media.JSONHandler(dumps=msgspec.json.encode)
    problems.install(app)
    for path, resource in routes:
        # The answer to GET without its body; Falcon leaves it out. A stream has no end, so there is nothing to answer.
        if hasattr(resource, "on_get") and not path.endswith("/events"):
            resource.on_head = resource.on_get
        app.add_route(path, resource)
    return app
