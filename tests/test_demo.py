"""The demo shows what it promises, says so when it does not, and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import psutil
import pytest

from tests.servers import eventually
from tests.test_requirements import ROOT

#: The first hit of each question, as it is printed.
FIRST = (
    "1. field-guide.pdf, page 2, Birds of the Lantern Coast › The Cliffs › Bell Petrel",
    "1. museum-handbook.docx, Handbook of the Cape Morrow Lighthouse Museum › Working Here › Leave",
    "1. museum-handbook.docx, Handbook of the Cape Morrow Lighthouse Museum › Opening Hours and Tickets",
    "1. tea-garden.txt, 云雾山茶园手册 › 第三章 冲泡与贮藏",
    "1. museum-handbook.docx, Handbook of the Cape Morrow Lighthouse Museum › 致中国游客",
)
MODULE = ("-m", "demo")


class Demo:
    """A run of the demo whose temporary files, and those of all that it starts, are in `folder`."""

    def __init__(self, folder: Path, output: Path, *command: str, **environment: str) -> None:
        self.folder = folder
        self._output = output
        with output.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT / "client"),
                    "TMPDIR": str(folder),
                    # Somebody's own data are there already.
                    "DATA_DIR": str(ROOT),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                # A run of the tests in the background hands down that Ctrl-C is ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    def end(self, number: signal.Signals | None = None) -> int:
        """Its exit code, after a signal if one is given."""
        if number is not None:
            self._process.send_signal(number)
        return self._process.wait(timeout=120)

    def processes(self) -> list[str]:
        """The command of every process that it started and that runs."""
        commands = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if self._is_ours(process) and process.status() != psutil.STATUS_ZOMBIE:
                    commands.append(" ".join(process.cmdline()))
        return commands

    def _is_ours(self, process: psutil.Process) -> bool:
        # PostgreSQL writes over its environment; its command names its folder.
        texts = [process.environ().get("TMPDIR", ""), *process.cmdline()]
        return any(text.startswith(str(self.folder)) for text in texts)

    def close(self) -> None:
        """Whatever a failed test has left."""
        self._process.kill()
        self._process.wait()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if self._is_ours(process):
                    process.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    # Not below tmp_path: the name of a socket has to be short.
    with TemporaryDirectory(prefix="tm-", ignore_cleanup_errors=True) as folder:
        demos = []

        def start(*command: str, **environment: str) -> Demo:
            demos.append(Demo(Path(folder), tmp_path / "output", *command, **environment))
            return demos[-1]

        yield start
        for demo in demos:
            demo.close()


def test_make_demo_finds_every_answer_first_and_leaves_nothing_behind(start: Callable[..., Demo]) -> None:
    assert "\tPYTHONPATH=client $(BIN)/python -m demo\n" in (ROOT / "Makefile").read_text()
    # Nothing that a developer has set for the service, or for the way out, may change it.
    demo = start(*MODULE, DATABASE_URL="postgresql://nowhere", API_KEYS="kb:key", HTTP_PROXY="http://127.0.0.1:1")
    assert demo.end() == 0, demo.output
    assert tuple(line.rpartition("  ")[0] for line in demo.output.splitlines() if line.startswith("1. ")) == FIRST
    for name in ("field-guide.pdf", "museum-handbook.docx", "tea-garden.txt"):
        assert f"{name}: completed in " in demo.output
    assert demo.processes() == []
    assert list(demo.folder.iterdir()) == []


def test_what_it_took_in_is_shown_by_make_run(start: Callable[..., Demo], tmp_path: Path) -> None:
    data = tmp_path / "data"
    demo = start(*MODULE, DATA_DIR=str(data))
    assert demo.end() == 0, demo.output
    assert f"is kept in {data}" in demo.output.replace("\n", "")
    assert list(demo.folder.iterdir()) == []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    start("-m", "embedded", DATA_DIR=str(data), PORT=str(port))
    url = f"http://127.0.0.1:{port}"

    def shown() -> str:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{url}/kbs/demo", headers={"Accept": "text/html"}).text
        return ""

    page = eventually(shown, seconds=90, reason="it has started")
    assert all(name in page for name in ("field-guide.pdf", "museum-handbook.docx", "tea-garden.txt"))
    answer = httpx2.post(f"{url}/api/v1/kbs/demo/search", json={"query": "bell petrel"}).json()
    assert answer["hits"][0]["document_id"] == "field-guide.pdf"


def test_it_fails_and_says_what_was_expected_where_another_passage_comes_first(start: Callable[..., Demo]) -> None:
    demo = start(
        "-c",
        "import sys, demo.__main__ as demo;"
        "demo.QUESTIONS = (demo.Question('bell petrel', 'field-guide.pdf', 'Sand Wren', page=1),);"
        "sys.exit(demo.main())",
    )
    assert demo.end() == 1
    assert "demo: expected field-guide.pdf, Sand Wren first" in demo.output
    assert "answers were found" not in demo.output
    assert demo.processes() == []


def test_it_shows_the_log_of_a_service_that_does_not_start(start: Callable[..., Demo]) -> None:
    demo = start(
        "-c",
        "import sys, demo.service as service, demo.__main__ as demo;"
        "service.KEPT = (*service.KEPT, 'EMBEDDER');"
        "sys.exit(demo.main())",
        EMBEDDER="nonsense",
    )
    assert demo.end() == 1
    assert "demo: the service did not start: it ended with exit code 1; its log:\n" in demo.output
    assert "EMBEDDER: " in demo.output
    assert list(demo.folder.iterdir()) == []


def postmasters(demo: Demo) -> list[Path]:
    """The file in which PostgreSQL says how far it has come."""
    return list(demo.folder.glob("*/data/postgres/postmaster.pid"))


MOMENTS: dict[str, Callable[[Demo], object]] = {
    "while its database is made": lambda demo: list(demo.folder.glob("*/data/postgres/PG_VERSION")),
    "while its database starts": lambda demo: postmasters(demo),
    "while its tables are made": lambda demo: any("ready" in path.read_text() for path in postmasters(demo)),
    "while it works": lambda demo: "Ready after" in demo.output,
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_nothing_is_left_when_it_is_stopped(
    start: Callable[..., Demo], moment: str, number: signal.Signals, code: int
) -> None:
    demo = start(*MODULE)
    eventually(lambda: MOMENTS[moment](demo), seconds=60, every=0.005, reason=moment)
    assert demo.end(number) == code, demo.output
    assert demo.processes() == []
    assert list(demo.folder.iterdir()) == []


def test_the_service_stops_when_the_demo_is_killed(start: Callable[..., Demo]) -> None:
    demo = start(*MODULE)
    eventually(lambda: "Ready after" in demo.output, seconds=60)
    assert demo.end(signal.SIGKILL) == -signal.SIGKILL
    eventually(lambda: demo.processes() == [], seconds=60, every=0.2, reason="all its processes have ended")
