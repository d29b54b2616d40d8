"""Who looks at a page: the key that was signed in with, and what the browser prefers."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from falcon import asgi

from api.access import callers
from dashboard.words import Language, language_of
from keys import Key, Role

Theme = Literal["auto", "light", "dark"]


@dataclass(frozen=True)
class Viewer:
    """What a page depends on besides its address.

    Parameters:
      csrf: what a request that changes something must carry.
    """

    language: Language
    theme: Theme
    key: Key
    csrf: str = ""

    @property
    def sight(self) -> Hashable:
        """The parts on which the changing content of a page depends: two viewers with equal parts see the same."""
        return self.language, self.key.role, self.key.kbs

    def may(self, role: Role) -> bool:
        """Return whether the viewer has the rights of a role."""
        return self.key.may(role)


def viewer_of(req: asgi.Request) -> Viewer:
    """Return who looks."""
    theme = (req.get_cookie_values("theme") or [""])[0]
    language = req.get_cookie_values("language")
    return Viewer(
        language=language_of(language[0] if language else None, req.get_header("Accept-Language")),
        theme="light" if theme == "light" else "dark" if theme == "dark" else "auto",
        key=getattr(req.context, "key", callers.ANYBODY),
        csrf=session.csrf_token if (session := callers.session(req)) else "",
    )
