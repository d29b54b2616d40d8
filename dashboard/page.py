"""A page: what it finds, the template that shows it, and the stream that keeps it up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from falcon import asgi
from pydantic import BaseModel

from api.access import callers
from dashboard import compression, live, rendering
from dashboard.viewer import Viewer, viewer_of
from models.base import Json

#: Nothing is fetched from elsewhere, nothing is run that is not a file of ours, and nobody may frame a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Asked:
    """What a browser asks a page for.

    Parameters:
      req: for those functions of REST that ask whose request it is.
      path: as it is, for links to the same page.
      params: the ids in it.
      query: its parameters; those that are empty are left out.
    """

    req: asgi.Request
    viewer: Viewer
    path: str
    params: Mapping[str, str]
    query: Mapping[str, Any]


def filters_of(query: type[BaseModel]) -> list[str]:
    """Return those parameters of a list that say what is listed."""
    return [name for name in query.model_fields if name not in ("limit", "cursor")]


class Page:
    """One address. A page says its template and what that shows."""

    template: str

    async def look(self, asked: Asked) -> Json:
        """Find what the template shows.

        Raises:
          falcon.HTTPError: what is asked for is not there, or may not be seen.
        """
        raise NotImplementedError

    async def on_get(self, req: asgi.Request, resp: asgi.Response, **params: str) -> None:
        """Answer with the page, or with the stream of its changes."""
        query = {name: value for name, value in req.params.items() if value and name != "live"}
        asked = Asked(req, viewer_of(req), path_of(req), params, query)

        async def values() -> Json:
            return {"asked": asked, "live": live_of(req), **await self.look(asked)}

        if "live" in req.params:
            caller = callers.name(req) or req.remote_addr
            live.demand_room(caller)

            async def fragment() -> live.Look:
                shown = await values()
                return live.Look(rendering.live(self.template, asked.viewer, shown), shown.get("as_of"))

            resp.set_header("X-Accel-Buffering", "no")
            resp.sse = live.changes((asked.viewer.sight, live_of(req)), fragment, caller)
            return
        show(req, resp, self.template, asked.viewer, await values())


def path_of(req: asgi.Request) -> str:
    """Return the path of a request as an address has it; a name in it may hold a slash, or a question mark."""
    # The middleware has a NUL character stand for a slash within a name.
    return quote(req.path, safe="/").replace("%00", "%2F")


def live_of(req: asgi.Request) -> str:
    """Return where the changes of a page are streamed."""
    query = "&".join(part for part in req.query_string.split("&") if part and part.partition("=")[0] != "live")
    return f"{path_of(req)}?{query}&live=1" if query else f"{path_of(req)}?live=1"


def show(req: asgi.Request, resp: asgi.Response, template: str, viewer: Viewer, values: Mapping[str, object]) -> None:
    """Answer with a page."""
    resp.content_type = "text/html; charset=utf-8"
    resp.set_headers(HEADERS)
    compression.send(req, resp, rendering.whole(template, viewer, values).encode())
