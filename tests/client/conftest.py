"""One running service for all tests of the client and of its command."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_manager_client.command.main import main
from tests.client import wheels
from tests.client.command import Run
from tests.guard import Guard
from tests.processes import EmbeddedDeployment

KEY = "s3cret"
#: Bytes of the largest document that the service takes.
LARGEST = 64 * 1024 * 1024


@pytest.fixture(scope="package")
def service(server_folder: Path, guard: Guard) -> Iterator[EmbeddedDeployment]:
    """Embedded mode that asks for a key."""
    with EmbeddedDeployment(Path(tempfile.mkdtemp(dir=server_folder)), guard) as service:
        service.start_embedded(
            API_KEYS=f"kb:{KEY},reader:r3ad:read",
            MAX_DOCUMENT_BYTES=str(LARGEST),
            SOURCE_ALLOWED_HOSTS="127.0.0.1",
        )
        yield service


@pytest.fixture
def here(service: EmbeddedDeployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, which starts sooner; nobody is at a terminal."""
    for name in ("LANG", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)

    def tm(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        for name, value in {"TM_API_URL": service.url, "TM_API_KEY": KEY, **variables}.items():
            monkeypatch.setenv(name, value)
        try:
            code = main([*map(str, arguments)])
        except SystemExit as ended:  # as argparse ends what is wrong
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return tm


@pytest.fixture(scope="package")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's wheel."""
    return wheels.build(tmp_path_factory.mktemp("wheel"))
