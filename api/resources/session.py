"""Signing a browser in and out, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import falcon
from falcon import asgi
from pydantic import BaseModel, ConfigDict, Field

from api import requests
from api.access import callers
from api.access.session import LARGEST_FORM, Sessions, is_form
from api.access.session import Session as Browser
from api.description.operation import operation
from keys import Key, Keys
from models.base import rfc3339
from sentences import say


class SignIn(BaseModel):
    """The key to sign in with, as JSON or as a form."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field("", max_length=4096)


class SessionAnswer(BaseModel):
    """Who is signed in, and what it may."""

    name: str | None = Field(description="Of the API key; null where none is asked for.")
    role: str
    kbs: list[str] | None = Field(description="The KBs that it sees and touches; null for all.")
    csrf_token: str | None = Field(
        description="To be sent as `X-CSRF-Token` with every request that changes something; null without a cookie."
    )
    expires_at: str | None


class Session:
    """`/session`"""

    def __init__(self, sessions: Sessions, keys: Keys) -> None:
        self._sessions = sessions
        self._keys = keys

    @operation(
        "Sign a browser in: it gets a cookie in place of the key.",
        {
            200: "Signed in for 12 hours.",
            401: "It is none of the API keys.",
            403: "A page of another site sent it.",
            409: "No key is asked for, so there is nothing to sign in to.",
            429: "Too many sign-ins from this address have failed.",
        },
        id="sign_in",
        tag="operations",
        request=SignIn,
        example={"key": "the-secret-of-a-key"},
        response=SessionAnswer,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        if not self._keys():
            raise falcon.HTTPConflict(title="Conflict", description=say("no_keys"))
        request = await _sign_in(req)
        session = self._sessions.begin(req, resp, request.key)
        _answer(resp, session.key, session)

    @operation(
        "Show who is signed in.",
        {200: "By the key or the cookie that was sent."},
        id="get_session",
        tag="operations",
        response=SessionAnswer,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        _answer(resp, callers.key(req), callers.session(req))

    @operation("Sign a browser out.", {204: "It has forgotten its cookie."}, id="sign_out", tag="operations")
    async def on_delete(self, req: asgi.Request, resp: asgi.Response) -> None:
        self._sessions.end(resp)
        resp.status = falcon.HTTP_204


async def _sign_in(req: asgi.Request) -> SignIn:
    # Whoever sends this has shown no key yet: no more of it is read than a key takes.
    if req.content_length is None:
        raise falcon.HTTPBadRequest(description=say("no_length"))
    requests.refuse_announced(req, LARGEST_FORM, "a sign-in contains a key and nothing else", "登录请求只包含密钥")
    if not is_form(req):
        return await requests.body(req, SignIn.model_validate)
    return requests.fit(SignIn, await req.get_media())


def _answer(resp: asgi.Response, key: Key, session: Browser | None) -> None:
    resp.set_header("Cache-Control", "no-store")
    resp.media = {
        "name": key.name or None,
        "role": key.role,
        "kbs": None if key.kbs is None else sorted(key.kbs),
        "csrf_token": session.csrf_token if session else None,
        "expires_at": rfc3339(datetime.fromtimestamp(session.expires_at, UTC)) if session else None,
    }
