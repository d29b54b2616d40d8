"""An S3 server of this machine, spoken to by s3fs as a bucket of AWS is. It checks no credentials."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from localbucket import S3Handler
from s3fs import S3FileSystem

BUCKET = "docs"


@dataclass
class Bucket:
    """A bucket, and beside it others: folders on disk.

    Parameters:
      denied: keys that nobody may read.
    """

    folder: Path
    url: str
    denied: set[str] = field(default_factory=set)

    def put(self, key: str, data: bytes, bucket: str = BUCKET) -> None:
        """Put an object into a bucket."""
        path = self.folder / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@contextmanager
def s3_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Serve buckets below a folder, at the address that AWS's variables name in this process."""
    denied: set[str] = set()

    class Handler(S3Handler):  # type: ignore[misc]
        data_root = folder

        def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
            self.unless_denied(super().do_GET)

        def do_HEAD(self) -> None:  # noqa: N802 - as http.server calls it
            self.unless_denied(super().do_HEAD)

        def unless_denied(self, answer: Any) -> None:
            if any(self.path.endswith(key) for key in denied):
                self.send_response(HTTPStatus.FORBIDDEN)
                self.send_header("content-length", "0")
                self.end_headers()
            else:
                answer()

        def log_message(self, *_: Any) -> None:
            """The test says what matters."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    environment = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}
    for name, value in {**environment, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    (folder / BUCKET).mkdir(parents=True)
    try:
        yield Bucket(folder, url, denied)
    finally:
        S3FileSystem.clear_instance_cache()
        server.shutdown()
        server.server_close()
