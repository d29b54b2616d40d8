"""`python -m rpc.generate` adds to rpc/proto what fields of a task it lacks, and writes rpc/generated from it anew."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from grpc_tools import protoc
from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from tasks.input.fields import Filter, TaskFields

PROTO = Path(__file__).parent / "proto"
GENERATED = Path(__file__).parent / "generated"

_SAID = TaskFields.model_fields
#: The fields of a task that each message has.
FIELDS: Mapping[str, Mapping[str, FieldInfo]] = {
    "Task": _SAID,
    "SubmitRequest": _SAID,
    "BatchItem": _SAID,
    "DocumentInfo": {name: field for name, field in _SAID.items() if name not in ("task_type", "payload")},
    "ListRequest": Filter.model_fields,
}
#: How a message has a value of each type; any other is a text.
TYPES = {
    int: "optional int32",
    float: "optional double",
    bool: "optional bool",
    dict: "google.protobuf.Struct",
    list: "repeated string",
    datetime: "google.protobuf.Timestamp",
    AwareDatetime: "google.protobuf.Timestamp",
}


def completed(proto: str) -> str:
    """Return a proto with the fields of a task that its messages lack, each under the next free number."""
    for message, fields in FIELDS.items():
        if match := re.search(rf"^message {message} {{\n(.*?)^}}", proto, re.M | re.S):
            numbers = {name: int(number) for name, number in re.findall(r"(\w+) = (\d+);", match[1])}
            proto = proto[: match.end(1)] + "".join(_lacking(fields, numbers)) + proto[match.end(1) :]
    return proto


def _lacking(fields: Mapping[str, FieldInfo], numbers: Mapping[str, int]) -> Iterator[str]:
    lacking = [(name, field) for name, field in fields.items() if name not in numbers]
    for number, (name, field) in enumerate(lacking, max(numbers.values()) + 1):
        yield f"  // {field.description}\n" if field.description else ""
        yield f"  {TYPES.get(_type(field.annotation), 'optional string')} {name} = {number};\n"


def _type(annotation: object) -> Any:
    """Return the type of a field that may be missing, without what bounds it and without what it is a list of."""
    while (origin := get_origin(annotation)) is not None:
        arguments = [argument for argument in get_args(annotation) if argument is not NoneType]
        if origin in TYPES:
            return origin
        if origin is not Annotated and len(arguments) != 1:
            return str
        annotation = arguments[0]
    return annotation


def generate(folder: Path) -> None:
    """Write the Python of all services and messages, and its types, below a folder.

    Raises:
      RuntimeError: protoc refuses a file; it has said why on stderr.
    """
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    includes = [f"--proto_path={PROTO}", f"--proto_path={files('grpc_tools') / '_proto'}"]
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", *includes, *outputs, *sources]) != 0:
        raise RuntimeError("protoc refuses a file of rpc/proto; see above")
    for path in folder.rglob("*_pb2*.py*"):
        # protoc takes the package for a folder that Python looks in.
        path.write_text(
            path.read_text().replace("from taskmanager.v1 import", "from rpc.generated.taskmanager.v1 import")
        )


if __name__ == "__main__":
    for file in PROTO.rglob("*.proto"):
        file.write_text(completed(file.read_text()))
    generate(GENERATED)
    sys.stdout.write(f"{GENERATED}\n")
