"""The page that the `type` of every problem leads to: each code, what it means, and what can be done."""

from __future__ import annotations

import html
import re

from falcon import asgi

from errors import CODES, REFUSALS, Code
from sentences import fields

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
section{border-top:1px solid #8884}:target{background:#fd02;outline:.5rem solid #fd02}p{margin:.4rem 0}
"""
HEADINGS = (
    ("Errors of requests", "Again", REFUSALS),
    ("Errors of tasks, of previews and of searches", "Retried", CODES),
)


class ErrorPage:
    """`/docs/errors`"""

    def __init__(self) -> None:
        self._page = page()

    async def on_get(self, _req: object, resp: asgi.Response) -> None:
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", POLICY)
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.text = self._page


def page() -> str:
    """Return the page as HTML that fetches nothing."""
    groups = "".join(
        f"<h2>{heading}</h2>{''.join(_section(name, code, again) for name, code in codes.items())}"
        for heading, again, codes in HEADINGS
    )
    groups += "<h2>Errors of fields</h2>" + "".join(
        f'<section id="{name}"><h3><code>{name}</code></h3>'
        f"<p>{_prose(code.meaning)}<p lang=zh>{_prose(code.meaning_zh)}</section>"
        for name, code in fields.CODES.items()
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Errors</title>"
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style><h1>Errors</h1>{groups}</html>"
    )


def _section(name: str, code: Code, again: str) -> str:
    return (
        f'<section id="{name}"><h3><code>{name}</code></h3><p>{_prose(code.meaning)} '
        f"{again}: {'yes' if code.retried else 'no'}.<p>{_prose(code.hint)}"
        f"<p lang=zh>{_prose(code.meaning_zh)}{_prose(code.hint_zh)}</section>"
    )


def _prose(text: str) -> str:
    """Return text as HTML, what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
