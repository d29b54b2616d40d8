"""What a browser is shown in place of a problem of REST: a page, or where to sign in."""

from __future__ import annotations

import json
from urllib.parse import quote

import falcon
from falcon import asgi

from dashboard.page import path_of, show
from dashboard.preferences import own_path
from dashboard.viewer import viewer_of


class SignIn:
    """`/sign-in`"""

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Ask for a key."""
        show(req, resp, "sign_in.html", viewer_of(req), {"next": own_path(req.get_param("next"))})


def as_page(req: asgi.Request, resp: asgi.Response) -> None:
    """Answer a browser that asked for a page and got a problem."""
    if (req.uri_template is not None and req.uri_template.startswith("/api/")) or not _wants_a_page(req):
        return
    if resp.status_code == 401:
        resp.status, resp.data = falcon.HTTP_303, None
        wanted = path_of(req) + (f"?{req.query_string}" if req.query_string else "")
        resp.location = f"/sign-in?next={quote(wanted, safe='')}"
        return
    assert resp.data is not None, "a problem is written before it is shown"
    problem = json.loads(resp.data)
    resp.data = None
    show(req, resp, "problem.html", viewer_of(req), {"path": req.path, "problem": problem})


def _wants_a_page(req: asgi.Request) -> bool:
    return bool(req.method in ("GET", "HEAD") and "text/html" in (req.get_header("Accept") or ""))
