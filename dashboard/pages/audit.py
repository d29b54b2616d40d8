"""Who did what: the log of acts."""

from __future__ import annotations

from api import requests
from api.resources.audit import AuditQuery, listed
from dashboard.page import Asked, Page, filters_of
from models.base import Json


class Audit(Page):
    """`/audit`"""

    template = "audit.html"

    async def look(self, asked: Asked) -> Json:
        """Find a page of acts, newest first."""
        return {
            **await listed(asked.req, requests.fit(AuditQuery, dict(asked.query))),
            "filters": filters_of(AuditQuery),
        }
