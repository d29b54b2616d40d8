"""Sessions of browsers: a cookie that is signed by a key, and what keeps other sites from using it.

Nothing is stored. Every web process with the same API_KEYS understands the cookie, also after a restart, and a session
ends at its time or when its key is removed.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import falcon
from falcon import asgi

from api.access.failures import Failures
from api.problems import Denied
from keys import Key, Keys, holder
from sentences import say

COOKIE = "tm_session"
#: Seconds that a session lasts.
LASTS = 12 * 3600
#: Where a request that changes something says the session's token, which no other site can read.
CSRF_HEADER, CSRF_FIELD = "X-CSRF-Token", "csrf_token"
#: Methods that change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORM = "application/x-www-form-urlencoded"
#: Bytes of a form that is read for its token; a larger one sends the header.
LARGEST_FORM = 64 * 1024


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has shown a key.

    Parameters:
      payload: what its cookie says: the key's name, the end and a random number, as base64.
      expires_at: seconds since 1970.
    """

    key: Key
    payload: str
    expires_at: int

    @property
    def cookie(self) -> str:
        """What the browser keeps and no script can read."""
        return f"{self.payload}.{_signed(self.key, 'cookie', self.payload)}"

    @property
    def csrf_token(self) -> str:
        """What a page of ours sends back with a request that changes something."""
        return _signed(self.key, "csrf", self.payload)


class Sessions:
    """Begins, recognises and ends sessions.

    Parameters:
      keys: that one can sign in with now; without any, none is asked for, and there are no sessions.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._failures = Failures()

    def begin(self, req: asgi.Request, resp: asgi.Response, secret: str) -> Session:
        """Sign a browser in with a key, and set its cookie.

        Raises:
          falcon.HTTPUnauthorized: it is none of the keys.
          falcon.HTTPTooManyRequests: too many sign-ins from this address have failed.
        """
        self._failures.refuse(req.remote_addr)
        key = holder(self._keys(), secret.encode("utf-8", "surrogatepass"))
        if key is None:
            if secret:
                self._failures.count(req.remote_addr)
            raise falcon.HTTPUnauthorized(title="Unauthorized", description=say("unknown_key"))
        session = _new(key)
        is_https = req.forwarded_scheme == "https"
        resp.set_cookie(
            COOKIE, session.cookie, max_age=LASTS, path="/", secure=is_https, http_only=True, same_site="Strict"
        )
        return session

    def of(self, req: asgi.Request) -> Session | None:
        """Return the session of a request; None where its cookie is missing, over, or signed by no key of today."""
        for cookie in req.get_cookie_values(COOKIE) or ():
            payload, _, signature = cookie.partition(".")
            name, expires_at = _read(payload)
            if expires_at <= time.time():
                continue
            for key in self._keys():
                if key.name == name and _same(_signed(key, "cookie", payload), signature):
                    return Session(key, payload, expires_at)
        return None

    def end(self, resp: asgi.Response) -> None:
        """Have the browser forget its cookie."""
        resp.unset_cookie(COOKIE, same_site="Strict", path="/")


def is_form(req: asgi.Request) -> bool:
    """Return whether a request says that it is a form as browsers send it without a file."""
    return bool((req.content_type or "").partition(";")[0].strip().lower() == FORM)


async def demand_token(req: asgi.Request, session: Session) -> None:
    """Let a request change something that came with a cookie, if it was made by a page of ours.

    Raises:
      Denied: it does not say the session's token, in the header or in a form.
    """
    token = req.get_header(CSRF_HEADER)
    if token is None and is_form(req) and 0 < (req.content_length or 0) <= LARGEST_FORM:
        # Falcon keeps what it has parsed for the resource.
        token = (await req.get_media()).get(CSRF_FIELD)
    if not isinstance(token, str) or not _same(session.csrf_token, token):
        raise Denied("csrf_token", say("token", header=CSRF_HEADER))


def demand_own_site(req: asgi.Request) -> None:
    """Refuse a request that changes something and that a browser sends for a page of another site.

    Whoever sends `Authorization` is let through: no page of another site can have a browser do so.

    Raises:
      Denied: the browser says that it comes from elsewhere.
    """
    if req.method in SAFE or req.get_header("Authorization") is not None:
        return
    # A browser that knows this header sends it always; it also holds behind a proxy that changes the host.
    site = req.get_header("Sec-Fetch-Site")
    origin = req.get_header("Origin")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        own = origin is None or urlsplit(origin).netloc.lower() == (req.get_header("Host") or "").lower()
    if not own:
        raise Denied("cross_site", say("other_site"))


def _new(key: Key) -> Session:
    expires_at = int(time.time()) + LASTS
    said = json.dumps([key.name, expires_at, secrets.token_hex(16)]).encode()
    return Session(key, base64.urlsafe_b64encode(said).decode(), expires_at)


def _read(payload: str) -> tuple[str, int]:
    """Return the key's name and the expiry in a cookie. If the cookie is malformed, return an empty name and 0."""
    try:
        name, expires_at, _ = json.loads(base64.urlsafe_b64decode(payload))
        return str(name), int(expires_at)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return "", 0


def _same(right: str, candidate: str) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(right.encode(), candidate.encode("utf-8", "surrogatepass"))


def _signed(key: Key, purpose: str, payload: str) -> str:
    """Sign with what is derived from the API key: whoever reads the signature learns nothing of the key."""
    derived = hmac.digest(key.secret, b"task-manager session", "sha256")
    return hmac.new(derived, f"{purpose} {payload}".encode(), "sha256").hexdigest()
