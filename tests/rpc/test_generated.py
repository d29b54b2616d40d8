"""The protos are as buf has them, and what is generated of them is what is committed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rpc import methods
from rpc.generate import GENERATED, PROTO, generate


def test_the_protos_keep_to_the_standard_rules_of_buf() -> None:
    command = [str(Path(sys.executable).parent / "buf"), "lint", str(PROTO)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_generated_is_what_is_committed(tmp_path: Path) -> None:
    generate(tmp_path)

    def files(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): path.read_text()
            for path in sorted(folder.rglob("*_pb2*.py*"))
            if path.suffix != ".pyc"
        }

    assert files(tmp_path) == files(GENERATED), "run `make proto`"


def test_each_method_has_its_route_and_the_process_does_not_start_otherwise() -> None:
    methods.check()
    with pytest.raises(RuntimeError, match="SearchService/Search"):
        methods.check(methods.SERVICES[:2])
