"""The callbacks: what is owed, what was delivered, and what was given up."""

from __future__ import annotations

from api import requests
from api.resources.callbacks import CallbacksQuery, listed
from dashboard.page import Asked, Page
from models.base import Json
from tasks.input.callback_filter import STATES, CallbackFilter


class Callbacks(Page):
    """`/callbacks`"""

    template = "callbacks.html"

    async def look(self, asked: Asked) -> Json:
        """Find a page of callbacks, newest first."""
        return {
            **await listed(asked.req, requests.fit(CallbacksQuery, dict(asked.query))),
            "filters": list(CallbackFilter.model_fields),
            "states": list(STATES),
        }
