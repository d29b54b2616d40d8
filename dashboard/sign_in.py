"""Where a browser shows its key."""

from __future__ import annotations

from falcon import asgi

from dashboard.page import show
from dashboard.preferences import own_path
from dashboard.viewer import viewer_of


class SignIn:
    """`/sign-in`"""

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Ask for a key."""
        show(resp, "sign_in.html", viewer_of(req), {"next": own_path(req.get_param("next"))})
