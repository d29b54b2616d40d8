"""`python -m rpc.alive` asks the rpc process of this machine whether it answers; a container's health check runs it."""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from settings import settings

#: Seconds that it may take.
PATIENCE = 3.0


def main() -> int:
    """Return 0 when it answers, else 1, and say why on stderr."""
    with grpc.insecure_channel(f"127.0.0.1:{settings().grpc_port}") as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        except grpc.RpcError as error:
            sys.stderr.write(f"rpc does not answer on GRPC_PORT: {error.code().name}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
