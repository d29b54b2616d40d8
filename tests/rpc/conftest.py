"""The service over gRPC beside the same over REST: one deployment for all the tests of this folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import grpc
import httpx2
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2 as details
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from keys import ROLES
from rpc.generated.taskmanager.v1 import (
    document_service_pb2_grpc,
    kb_service_pb2_grpc,
    search_service_pb2_grpc,
    task_service_pb2_grpc,
)
from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import Deployment, Process
from tests.rabbitmq import RabbitServer
from tests.servers import free_port

#: A key of each role, one that is bound to a KB, and one that is for nobody.
KEYS = {role: f"key-of-{role}" for role in ROLES}
BOUND, MINE = "key-of-bound", "kb-of-bound"
#: A time with a fraction, of which protobuf writes none, three or six digits, and REST always six.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
MAX_DOCUMENT_BYTES = 2 * 1024 * 1024
DETAILS = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        details.ErrorInfo,
        details.BadRequest,
        details.RetryInfo,
        details.RequestInfo,
        details.LocalizedMessage,
    )
}


class Grpc:
    """The services, called with one key."""

    def __init__(self, target: str, key: str | None) -> None:
        self.channel = grpc.insecure_channel(target)
        self.metadata = (("authorization", f"Bearer {key}"),) if key else ()
        self._stubs = (
            task_service_pb2_grpc.TaskServiceStub(self.channel),
            document_service_pb2_grpc.DocumentServiceStub(self.channel),
            kb_service_pb2_grpc.KbServiceStub(self.channel),
            search_service_pb2_grpc.SearchServiceStub(self.channel),
        )

    def stub(self, name: str) -> Any:
        """A method of ours."""
        return next(getattr(stub, name) for stub in self._stubs if hasattr(stub, name))

    def call(self, name: str, message: Any, *more: tuple[str, str], timeout: float = 60) -> Any:
        """The answer of a method; a stream, where it gives one."""
        return self.stub(name)(message, metadata=(*self.metadata, *more), timeout=timeout)

    def refused(self, name: str, message: Any, *more: tuple[str, str]) -> tuple[str, dict[str, Any]]:
        """The code and the details of a call that must fail, by their types; the hints by their languages."""
        with pytest.raises(grpc.RpcError) as caught:
            answer = self.call(name, message, *more)
            list(answer)
        error: Any = caught.value
        status: Any = rpc_status.from_call(error)
        assert status is not None, error
        by_type: dict[str, Any] = {"message": status.message}
        for packed in status.details:
            detail = DETAILS[packed.TypeName()]()
            packed.Unpack(detail)
            said = MessageToDict(detail, preserving_proto_field_name=True)
            kind = packed.TypeName().rpartition(".")[2]
            by_type[f"{kind}.{said['locale']}" if kind == "LocalizedMessage" else kind] = said
        return error.code().name, by_type


class Both:
    """One deployment, asked over REST and over gRPC."""

    def __init__(self, deployment: Deployment, target: str, http: httpx2.Client | None = None) -> None:
        """Parameters:
        http: of another web process of the deployment.
        """
        self.deployment = deployment
        self.target = target
        self.http = http or deployment.http
        self._open: dict[str | None, Grpc] = {}

    def rpc(self, key: str | None = KEYS["operate"]) -> Grpc:
        """gRPC with a key."""
        if key not in self._open:
            self._open[key] = Grpc(self.target, key)
        return self._open[key]

    def rest(self, method: str, path: str, key: str | None = KEYS["operate"], **more: Any) -> httpx2.Response:
        """The answer of REST."""
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        return self.http.request(method, f"/api/v1{path}", headers=headers, **more)

    def close(self) -> None:
        """Close what was opened."""
        for client in self._open.values():
            client.channel.close()


def is_serving(process: Process) -> bool:
    """Whether the rpc process says that its services can be used."""
    with grpc.insecure_channel(f"127.0.0.1:{process.environment['GRPC_PORT']}") as channel:
        asked = health_pb2.HealthCheckRequest(service="taskmanager.v1.TaskService")
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=2)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@pytest.fixture(scope="package")
def both(
    postgres: Postgres,
    rabbitmq_server_of_the_run: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    guard: Guard,
) -> Iterator[Both]:
    """Web, worker and rpc, with keys."""
    keys = [f"{role}-s:{key}:{role}" for role, key in KEYS.items()] + [f"bound:{BOUND}:operate:{MINE}"]
    port = free_port()
    environment = {
        "API_KEYS": ",".join(keys),
        "MAX_DOCUMENT_BYTES": str(MAX_DOCUMENT_BYTES),
        "GRPC_PORT": str(port),
    }
    folder = tmp_path_factory.mktemp("rpc")
    with (
        postgres.database() as database_url,
        rabbitmq_server_of_the_run.fresh() as rabbitmq,
        Deployment(database_url, rabbitmq.url, folder, guard, **environment) as deployment,
    ):
        deployment.start("web")
        deployment.start("worker")
        deployment.start("rpc", ready=is_serving)
        both = Both(deployment, f"127.0.0.1:{port}")
        yield both
        both.close()


def fields(message: Any) -> dict[str, Any]:
    """A message as REST would show it: every field; null for what may be unset and is."""
    said: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for field in message.DESCRIPTOR.fields:
        if (field.has_presence and field.containing_oneof is None) or field.name not in said:
            said.setdefault(field.name, None)
    return said


def steady(shown: dict[str, Any]) -> str:
    """What is shown, to be compared: without what passes, and with null as if it were not there."""
    passing = ("estimated_completion", "queue_wait_seconds", "took_ms")

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without(part) for name, part in value.items() if part is not None and name not in passing}
        if isinstance(value, list):
            return [without(part) for part in value]
        if isinstance(value, str) and TIME.fullmatch(value):
            return value.rstrip("Z").rstrip("0").rstrip(".") + "Z"
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    return json.dumps(without(shown), sort_keys=True, ensure_ascii=False)
