"""The files that pages load. Each is addressed by its digest, so that a browser keeps it for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import falcon
from falcon import asgi

from dashboard import compression

FOLDER = Path(__file__).parent / "static"
#: Documents to try the service with.
SAMPLES = Path(__file__).parent.parent / "samples"
SAMPLE_TYPES = (".pdf", ".docx", ".txt")
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


class File(NamedTuple):
    """A file as it is, as it is sent to who reads gzip, and its digest."""

    data: bytes
    as_gzip: bytes
    digest: str


@cache
def files() -> dict[str, File]:
    """Return the files by their names."""
    contents = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in TYPES}
    return {
        name: File(data, compression.packed(data, compression.BEST), hashlib.sha256(data).hexdigest()[:12])
        for name, data in contents.items()
    }


def address(name: str) -> str:
    """Return the address of a file. It contains a digest of the content, so a changed file has another address."""
    return f"/static/{files()[name].digest}/{name}"


class Static:
    """`/static/{digest}/{name}`"""

    def __init__(self) -> None:
        # Compressed now, and not while somebody waits.
        self._files = files()

    async def on_get(self, req: asgi.Request, resp: asgi.Response, digest: str, name: str) -> None:
        """Answer with a file. An address of another release is answered with the file of this one, and not kept."""
        if name not in self._files:
            raise falcon.HTTPNotFound(description=f"there is no file {name[:100]!r}")
        file = self._files[name]
        compression.send(req, resp, file.data, file.as_gzip)
        resp.content_type = TYPES[Path(name).suffix]
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable" if digest == file.digest else "no-cache")


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
