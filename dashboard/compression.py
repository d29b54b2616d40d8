"""Answers that are smaller on the wire, for browsers that read gzip: what is said to a slow link takes a quarter."""

from __future__ import annotations

import gzip

from falcon import asgi

#: Bytes below which nothing is won.
WORTH_IT = 1000
#: For what is compressed each time, since the last levels take twice as long for some percent; and for what is once.
QUICK, BEST = 5, 9


def packed(data: bytes, level: int = QUICK) -> bytes:
    """Return data as gzip has it, always the same of the same."""
    return gzip.compress(data, level, mtime=0)


def send(req: asgi.Request, resp: asgi.Response, data: bytes, as_gzip: bytes | None = None) -> None:
    """Answer with data, compressed where the browser reads that.

    A page may hold a secret, its token, beside what an address says, and the length of both together tells of them. But
    another site cannot have a browser ask for it with its session: the cookie is SameSite=Strict.

    Parameters:
      as_gzip: the same, compressed before.
    """
    resp.append_header("Vary", "Accept-Encoding")
    if len(data) < WORTH_IT or not _reads_gzip(req.get_header("Accept-Encoding") or ""):
        resp.data = data
        return
    resp.set_header("Content-Encoding", "gzip")
    resp.data = packed(data) if as_gzip is None else as_gzip


def _reads_gzip(accepted: str) -> bool:
    """Return whether a browser reads gzip (RFC 9110, 12.5.3)."""
    for part in accepted.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name == "gzip":
            return not any(parameter.replace(" ", "").rstrip("0") in ("q=", "q=0.") for parameter in parameters)
    return False
