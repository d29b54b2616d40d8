"""What a browser prefers: its language and its colours, each in a cookie."""

from __future__ import annotations

import re

import falcon
from falcon import asgi

CHOICES = {"language": ("en", "zh"), "theme": ("auto", "light", "dark")}
#: Seconds for which a choice is kept.
KEPT = 365 * 86_400


class Preferences:
    """`/preferences`"""

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Keep a choice, and go back to where it was made."""
        for name, choices in CHOICES.items():
            if (chosen := req.get_param(name)) is not None and chosen in choices:
                resp.set_cookie(name, chosen, max_age=KEPT, path="/", same_site="Lax", secure=False)
        resp.status = falcon.HTTP_303
        resp.location = own_path(req.get_param("next"))


def own_path(path: str | None) -> str:
    """Return a path of this service; never an address elsewhere, which a link could otherwise lead to."""
    # A browser takes a backslash for a slash, and leaves out tabs and line breaks.
    return path if path and re.fullmatch(r"/(?![/\\])[^\x00-\x1f]*", path) else "/"
