"""The OpenAPI document, and the page that shows it: Swagger UI, of which no file comes from elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import falcon
from falcon import asgi
from swagger_ui_bundle import swagger_ui_path

from models.base import Json

#: What the page fetches, with its media type: two files of Swagger UI, and what starts it.
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}
#: Swagger UI sets styles within elements and draws its icons as `data:`; nothing else is let in.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: The version is part of the addresses, so that they may be kept for ever.
VERSION = swagger_ui_path.name.removeprefix("swagger-ui-")
PAGE = f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Task Manager Service</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css?{VERSION}">
<main id="docs"><noscript>This page needs a script; <a href="openapi.json">openapi.json</a> does not.</noscript></main>
<script src="docs/swagger-ui-bundle.js?{VERSION}"></script>
<script src="docs/start.js?{VERSION}"></script>
</html>
"""
# Swagger UI would otherwise ask a server elsewhere whether the document is valid.
START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""


class Specification:
    """`/openapi.json`"""

    def __init__(self, build: Callable[[], Json]) -> None:
        self._build = build
        self._document: bytes | None = None

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        if self._document is None:
            # A tenth of the process's memory, which one that nobody asks for the document never takes.
            self._document = json.dumps(await asyncio.to_thread(self._build), ensure_ascii=False).encode()
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self._document


class Page:
    """`/docs`"""

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", POLICY)
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.text = PAGE


class Asset:
    """`/docs/{name}`"""

    async def on_get(self, req: asgi.Request, resp: asgi.Response, name: str) -> None:
        if name not in ASSETS:
            raise falcon.HTTPNotFound
        resp.content_type = ASSETS[name]
        resp.set_header("X-Content-Type-Options", "nosniff")
        if name == "start.js":
            resp.text = START
            return
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable")
        # One and a half megabytes: read when they are asked for, which browsers do once.
        resp.data = (swagger_ui_path / name).read_bytes()
