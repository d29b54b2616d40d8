"""Every page on one screen."""

from __future__ import annotations

from typing import Any

from api.app import Pages
from dashboard.failures import SignIn, as_page
from dashboard.pages.audit import Audit
from dashboard.pages.batches import Batches
from dashboard.pages.callbacks import Callbacks
from dashboard.pages.document import Document
from dashboard.pages.errors import Errors
from dashboard.pages.kb import Kb
from dashboard.pages.kbs import Kbs
from dashboard.pages.overview import Overview, Plots
from dashboard.pages.queues import Queues
from dashboard.pages.task import Task
from dashboard.pages.tasks import Tasks
from dashboard.pages.workers import Workers
from dashboard.preferences import Preferences
from dashboard.static import Samples, Static


def pages() -> Pages:
    """Return the addresses of the pages with what answers there, and what shows a problem."""
    routes: list[tuple[str, Any]] = [
        ("/", Overview()),
        ("/plots", Plots()),
        ("/tasks", Tasks()),
        ("/tasks/{task_id}", Task()),
        ("/errors", Errors()),
        ("/kbs", Kbs()),
        ("/kbs/{kb_id}", Kb()),
        ("/kbs/{kb_id}/documents/{document_id}", Document()),
        ("/audit", Audit()),
        ("/batches", Batches()),
        ("/callbacks", Callbacks()),
        ("/queues", Queues()),
        ("/workers", Workers()),
        ("/sign-in", SignIn()),
        ("/preferences", Preferences()),
        ("/samples/{name}", Samples()),
        ("/static/{digest}/{name}", Static()),
    ]
    return Pages(routes, as_page)
