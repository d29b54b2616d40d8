"""The files that pages load. Each is addressed by its digest, so that a browser keeps it for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import falcon
from falcon import asgi

FOLDER = Path(__file__).parent / "static"
#: Documents to try the service with; an image does not hold them.
SAMPLES = Path(__file__).parent.parent / "samples"
SAMPLE_TYPES = (".pdf", ".docx", ".txt")
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Return each file's bytes and digest by its name."""
    found = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in TYPES}
    return {name: (data, hashlib.sha256(data).hexdigest()[:12]) for name, data in found.items()}


def address(name: str) -> str:
    """Return where a file is fetched, as long as it is what it is now."""
    return f"/static/{_files()[name][1]}/{name}"


class Static:
    """`/static/{digest}/{name}`"""

    async def on_get(self, req: asgi.Request, resp: asgi.Response, digest: str, name: str) -> None:
        """Answer with a file. An address of another release is answered with the file of this one, and not kept."""
        if name not in _files():
            raise falcon.HTTPNotFound(description=f"there is no file {name[:100]!r}")
        resp.data, known = _files()[name]
        resp.content_type = TYPES[Path(name).suffix]
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable" if digest == known else "no-cache")


@cache
def samples() -> tuple[str, ...]:
    """Return the names of the sample documents; none where they are not at hand."""
    return tuple(sorted(path.name for path in SAMPLES.glob("*") if path.suffix in SAMPLE_TYPES))


class Samples:
    """`/samples/{name}`"""

    async def on_get(self, req: asgi.Request, resp: asgi.Response, name: str) -> None:
        """Answer with a sample document, for the browser to upload."""
        if name not in samples():
            raise falcon.HTTPNotFound(description=f"there is no sample {name[:100]!r}")
        resp.data = (SAMPLES / name).read_bytes()
        resp.content_type = "application/octet-stream"
        resp.set_header("X-Content-Type-Options", "nosniff")
