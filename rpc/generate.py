"""`python -m rpc.generate` writes rpc/generated from rpc/proto anew."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).parent / "proto"
GENERATED = Path(__file__).parent / "generated"


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
    generate(GENERATED)
    sys.stdout.write(f"{GENERATED}\n")
