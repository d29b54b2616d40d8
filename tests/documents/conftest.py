"""Fixtures of the tests of documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from documents.extraction import extract
from documents.text import Extracted
from tests.documents.reading import Read


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a file that holds the given bytes, by its name."""

    def _read(name: str | None, data: bytes | str, content_type: str | None = None) -> Extracted:
        path = tmp_path / "payload"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return extract(path, filename=name, content_type=content_type)

    return _read
