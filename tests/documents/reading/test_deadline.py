"""Text recognition stops while there is time to keep what it read, and says what it did not read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.readers.shared import ocr
from documents.reading import deadline
from documents.sandbox.pool import Sandbox
from errors import TaskError
from tests.documents import scans
from tests.documents.extracted import Read
from tests.documents.readers.shared.test_ocr import ENGLISH, PLENTY, english
from tests.documents.readers.shared.test_pictures import BLANK, FORMATS, noun

_WORD = b"5\t1\t1\t1\t1\t1\t10\t10\t200\t30\t95\tWord"


def pdf(pictures: list[bytes]) -> bytes:
    """As many scanned pages."""
    return scans.scanned(english(*[ENGLISH] * len(pictures)))


MAKERS: dict[str, Callable[..., bytes]] = {**FORMATS, "pdf": pdf}


@contextmanager
def tesseract(seconds: float) -> Iterator[None]:
    """A Tesseract that reads one word in each picture and takes so long for it, by a clock that only it moves."""
    now = 0.0

    def run(command: list[str], *, timeout: float, **_: Any) -> CompletedProcess[bytes]:
        nonlocal now
        now += min(seconds, timeout)
        if seconds > timeout:
            raise TimeoutExpired(command, timeout)
        return CompletedProcess(command, 0, _WORD, b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("documents.readers.shared.ocr.subprocess.run", run)
        patch.setattr(ocr, "languages", lambda: "eng")
        patch.setattr(deadline, "_clock", lambda: now)
        yield


@pytest.mark.parametrize("format", MAKERS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 5), seconds=st.integers(1, 80), allowed=st.integers(1, 400))
def test_what_was_read_in_time_is_kept_and_the_rest_is_named(
    read: Read, format: str, count: int, seconds: int, allowed: int
) -> None:
    in_time = min(int(deadline.PART * allowed) // seconds, count)
    data = MAKERS[format]([BLANK + bytes([number]) for number in range(count)])
    with tesseract(seconds), deadline.within(allowed):
        if not in_time:
            with pytest.raises(TaskError, match=r"timeout: .* no time was left"):
                read(f"a.{format}", data)
            return
        extracted = read(f"a.{format}", data)
    name = "page" if format == "pdf" else noun(format)
    late = f"{in_time + 1}-{count}" if count - in_time > 1 else f"{count}"
    assert extracted.text.count("Word") == in_time
    assert f"{in_time} of {count} {name}s " in extracted.warnings[0]
    assert extracted.warnings[1:] == (
        [f"{name}{'s' if '-' in late else ''} {late}: {ocr.OUT_OF_TIME}"] if in_time < count else []
    )


def test_text_is_kept_beside_scans_that_there_is_no_time_for(read: Read) -> None:
    with tesseract(60), deadline.within(10):
        extracted = read("a.pdf", scans.scanned(english(PLENTY, ENGLISH, ENGLISH), [1, 2]))
    assert extracted.text == " ".join(PLENTY)
    assert extracted.warnings == [f"pages 2-3: {ocr.OUT_OF_TIME}"]


def test_a_reader_in_the_sandbox_knows_its_limit() -> None:
    sandbox = Sandbox(size=1)
    try:
        assert 0 < sandbox.run("documents.reading.deadline:seconds_left", (), timeout=20) <= deadline.PART * 20
    finally:
        sandbox.close()
