"""The protos keep to buf's rules and to what clients were built on; what is generated of them is what is committed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rpc import methods
from rpc.generate import FIELDS, GENERATED, PROTO, completed, generate

#: What clients may have been built on. Each field that is added joins it, by `make proto`.
BASELINE = PROTO / "baseline.binpb"


def buf(*arguments: str) -> tuple[int, str]:
    """Run buf. Returns how it ended, and what it said."""
    command = [str(Path(sys.executable).parent / "buf"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_protos_keep_to_the_standard_rules_of_buf() -> None:
    assert buf("lint", str(PROTO)) == (0, "")


def test_the_protos_break_no_client_that_was_built_on_the_baseline() -> None:
    assert buf("breaking", str(PROTO), "--against", str(BASELINE)) == (0, "")


def test_the_baseline_knows_every_field(tmp_path: Path) -> None:
    now = tmp_path / "now.binpb"
    assert buf("build", str(PROTO), "--exclude-source-info", "-o", str(now)) == (0, "")
    assert now.read_bytes() == BASELINE.read_bytes(), "run `make proto`"


@pytest.mark.parametrize(
    ("pattern", "instead", "problem"),
    [
        (r"string task_id = 1;", "string task_id = 101;", 'field "1" with name "task_id"'),
        (r"string task_id = 1;", "int64 task_id = 1;", 'Field "1" with name "task_id"'),
        (r"string task_id = 1;", "string task = 1;", 'Field "1"'),
        (r"rpc Submit\(.*?\);", "", 'RPC "Submit"'),
    ],
    ids=["another number", "another type", "another name", "no method"],
)
def test_a_change_that_breaks_clients_is_found(tmp_path: Path, pattern: str, instead: str, problem: str) -> None:
    changed = tmp_path / "proto"
    shutil.copytree(PROTO, changed)
    path = changed / "taskmanager/v1/task_service.proto"
    text, count = re.subn(pattern, instead, path.read_text(), count=1, flags=re.S)
    assert count == 1
    path.write_text(text)
    ended, said = buf("breaking", str(changed), "--against", str(BASELINE))
    assert ended != 0
    assert problem in said


def test_what_is_generated_is_what_is_committed(tmp_path: Path) -> None:
    generate(tmp_path)

    def files(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): path.read_text()
            for path in sorted(folder.rglob("*_pb2*.py*"))
            if path.suffix != ".pyc"
        }

    assert files(tmp_path) == files(GENERATED), "run `make proto`"


def test_each_field_of_a_task_is_in_the_messages() -> None:
    for path in PROTO.rglob("*.proto"):
        assert completed(path.read_text()) == path.read_text(), "run `make proto`"


def test_a_field_that_a_message_lacks_gets_the_next_number_and_its_type() -> None:
    names = ("kb_id", "payload", "priority", "retry_limit", "timeout", "run_at", "depends_on", "callback_url")
    kept = [name for name in FIELDS["SubmitRequest"] if name not in names]
    known = "".join(f"  string {name} = {number};\n" for number, name in enumerate(kept, 12 - len(kept)))
    added = completed(f"message SubmitRequest {{\n{known}}}\n").removeprefix(f"message SubmitRequest {{\n{known}")
    lines = [line.strip() for line in added.splitlines() if "//" not in line]
    assert lines == [
        "optional string kb_id = 12;",
        "google.protobuf.Struct payload = 13;",
        "optional string priority = 14;",
        "optional int32 retry_limit = 15;",
        "optional double timeout = 16;",
        "optional string callback_url = 17;",
        "google.protobuf.Timestamp run_at = 18;",
        "repeated string depends_on = 19;",
        "}",
    ]


def test_each_method_has_its_route_and_the_process_does_not_start_otherwise() -> None:
    methods.check()
    with pytest.raises(RuntimeError, match="SearchService/Search"):
        methods.check(methods.SERVICES[:2])
