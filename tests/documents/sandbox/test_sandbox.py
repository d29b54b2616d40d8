"""A child that hangs, swells, crashes or outlives its parent harms one call at most."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from documents.sandbox.pool import Cancelled, ChildCrashed, Sandbox
from errors import TaskError
from tests.documents import samples

HERE = "tests.documents.sandbox.victims:"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(2)
    yield made
    made.close()


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "a.docx"
    path.write_bytes(samples.docx(samples.paragraph("Leave", "1") + samples.paragraph("年假十五天。 Fifteen days.")))
    return path


def test_it_reads_and_splits(sandbox: Sandbox, document: Path) -> None:
    extracted = sandbox.extract(document, filename="a.docx", timeout=20)
    assert extracted.text == "# Leave\n\n年假十五天。 Fifteen days."

    pieces = sandbox.split(extracted.text, extracted.anchors, 1000, 200, timeout=20)

    assert [extracted.text[piece.start : piece.end] for piece in pieces] == [extracted.text]
    assert pieces[0].heading_path == ["Leave"]
    assert {"leave", "年假", "fifteen"} <= set(pieces[0].tokens)
    assert pieces[0].lead_tokens == ["leave"]


def test_an_error_of_the_reader_arrives_as_it_was_raised(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(samples.pdf([["x"]], password="p"))
    with pytest.raises(TaskError) as caught:
        sandbox.extract(path, filename="a.pdf", timeout=20)
    assert caught.value.code == "encrypted"


def test_a_crash_hits_one_call_and_none_of_its_neighbours(sandbox: Sandbox, document: Path) -> None:
    def work(number: int) -> str:
        if number % 5 == 2:
            with pytest.raises(ChildCrashed, match="SIGSEGV"):
                sandbox.run(HERE + "crash", (), timeout=20)
            return "crashed"
        return sandbox.extract(document, timeout=20).text

    with ThreadPoolExecutor(10) as threads:
        results = list(threads.map(work, range(20)))

    assert results.count("crashed") == 4
    assert len(set(results)) == 2


def test_a_call_that_takes_too_long_is_killed(sandbox: Sandbox, document: Path) -> None:
    with pytest.raises(TaskError) as caught:  # it hangs for ever
        sandbox.run(HERE + "hang", (), timeout=0.5)
    assert caught.value.code == "timeout"
    assert not caught.value.retryable, "the same bytes take as long again"
    assert sandbox.extract(document, timeout=20).text


def test_a_cancelled_call_is_killed_at_once(sandbox: Sandbox) -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    with pytest.raises(Cancelled) as caught:  # and not that it is late
        sandbox.run(HERE + "hang", (), timeout=60, cancelled=cancelled.is_set)
    assert caught.value.code == "cancelled"


def test_waiting_for_a_free_child_is_no_time_of_the_call_and_can_be_cancelled() -> None:
    sandbox = Sandbox(1)
    try:
        with ThreadPoolExecutor(2) as threads:
            slow = threads.submit(sandbox.run, HERE + "sleep", (3.0,), timeout=20)
            time.sleep(0.5)
            assert sandbox.run(HERE + "sleep", (0.0,), timeout=2) == "slept"
            slow.result()
            slow = threads.submit(sandbox.run, HERE + "sleep", (4.0,), timeout=20)
            time.sleep(0.3)
            started = time.monotonic()
            with pytest.raises(Cancelled):
                sandbox.run(HERE + "sleep", (0.0,), timeout=20, cancelled=lambda: time.monotonic() > started + 0.2)
            assert not slow.done(), "nobody waits for it"
    finally:
        sandbox.close()


def test_too_much_memory_is_an_error_of_the_document(document: Path) -> None:
    sandbox = Sandbox(1, memory_bytes=400 * 1024 * 1024)
    try:
        with pytest.raises(TaskError) as caught:
            sandbox.run(HERE + "swell", (), timeout=20)
        assert caught.value.code == "too_large"
        assert sandbox.extract(document, timeout=20).text
    finally:
        sandbox.close()


def test_what_a_library_prints_does_not_reach_the_reply(sandbox: Sandbox) -> None:
    assert sandbox.run(HERE + "chatter", (), timeout=20) == "quiet"


def test_a_reply_cannot_bring_code_with_it(sandbox: Sandbox) -> None:
    with pytest.raises(TaskError, match="cannot be understood"):
        sandbox.run(HERE + "smuggle", (), timeout=20)


def test_an_unexpected_error_is_internal(sandbox: Sandbox) -> None:
    with pytest.raises(TaskError, match="internal: ZeroDivisionError"):
        sandbox.run(HERE + "blunder", (), timeout=20)


def test_megabytes_go_through_both_pipes(sandbox: Sandbox) -> None:
    assert len(sandbox.run(HERE + "echo", ("x" * 20_000_000,), timeout=20)) == 20_000_000


def test_children_are_reused_and_a_swollen_one_is_replaced() -> None:
    sandbox = Sandbox(1)
    try:
        sandbox.run(HERE + "echo", (1,), timeout=20)
        before = sandbox.children
        sandbox.run(HERE + "echo", (1,), timeout=20)
        assert sandbox.children == before
        sandbox.run(HERE + "hoard", (), timeout=20)
        sandbox.run(HERE + "echo", (1,), timeout=20)
        assert sandbox.children != before
    finally:
        sandbox.close()


def test_a_child_that_died_idle_is_replaced_unnoticed(sandbox: Sandbox) -> None:
    sandbox.run(HERE + "echo", (1,), timeout=20)
    for child in sandbox.children:
        os.kill(child, signal.SIGKILL)
    time.sleep(0.1)
    assert sandbox.run(HERE + "echo", (1,), timeout=20) == 1


def test_a_child_stays_below_100_mb_with_everything_loaded(tmp_path: Path) -> None:
    sandbox = Sandbox(1)
    names = {
        "a.pdf": samples.pdf([["Words on a page."]] * 50),
        "a.docx": samples.docx(samples.paragraph("Words") * 500),
        "a.html": b"<p>Words</p>" * 500,
        "a.csv": b"a,b\n1,2\n" * 500,
        "a.md": b"# Words\n\ntext\n" * 500,
        "a.txt": "普通的中文文本。".encode("gb18030") * 500,
    }
    try:
        for name, data in names.items():
            path = tmp_path / name
            path.write_bytes(data)
            extracted = sandbox.extract(path, filename=name, timeout=20)
            assert sandbox.split(extracted.text, extracted.anchors, 1000, 200, timeout=20)
        assert psutil.Process(sandbox.children[0]).memory_info().rss < 100 * 1024 * 1024
    finally:
        sandbox.close()


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 9)", "sys.exit()", "os._exit(3)"])
def test_children_die_with_their_parent(how: str) -> None:
    code = (
        "import os, sys, threading, time; from documents.sandbox.pool import Sandbox; s = Sandbox(2);"
        f"threading.Thread(target=s.run, args=('{HERE}hang', ()), kwargs=dict(timeout=60), daemon=True).start();"
        f"s.run('{HERE}echo', (1,), timeout=20); time.sleep(0.3); print(*s.children, flush=True); {how}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    children = [int(pid) for pid in done.stdout.split()]
    assert len(children) == 2, done.stderr
    deadline = time.monotonic() + 5
    while any(map(psutil.pid_exists, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in children)
