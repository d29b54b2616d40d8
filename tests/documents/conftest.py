"""Fixtures of the tests of documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.readers.legacy import conversion
from documents.readers.shared import ocr
from documents.reading.extraction import extract
from documents.text import Extracted
from tests.documents.extracted import Read


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a file that holds the given bytes, by its name."""

    def _read(name: str | None, data: bytes | str, content_type: str | None = None) -> Extracted:
        path = tmp_path / "payload"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return extract(path, filename=name, content_type=content_type)

    return _read


def forget_tesseract() -> None:
    """Go on as on a machine without Tesseract, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        ocr.languages.cache_clear()
        assert ocr.languages() is None


def forget_libreoffice() -> None:
    """Go on as on a machine without LibreOffice, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        conversion.program.cache_clear()
        assert [conversion.program(part) for part in ("writer", "impress")] == [None, None]


@pytest.fixture(autouse=True, scope="session")
def _no_programs_are_run() -> Iterator[None]:
    """What other programs read takes seconds; the tests that are about that, such as test_ocr.py, ask for them."""
    forget_tesseract()
    forget_libreoffice()
    yield
    ocr.languages.cache_clear()
    conversion.program.cache_clear()
