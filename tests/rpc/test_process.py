"""The rpc process: streams, deadlines, health, reflection, and its end."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import psycopg2
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.struct_pb2 import Struct
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from rpc.generated.taskmanager.v1.task_service_pb2 import GetRequest, SubmitRequest, WatchRequest
from rpc.generated.taskmanager.v1.task_service_pb2_grpc import TaskServiceStub
from rpc.methods import SERVICES
from tests.processes import ROOT, Deployment, Process
from tests.rpc.conftest import KEYS, Both, Grpc, is_serving
from tests.servers import eventually, free_port


@pytest.fixture
def second(both: Both) -> Iterator[tuple[Process, Grpc]]:
    """Another rpc process of the deployment, to be stopped."""
    port = str(free_port())
    process = both.deployment.start("rpc", ready=is_serving, GRPC_PORT=port)
    caller = Grpc(f"127.0.0.1:{port}", KEYS["operate"])
    yield process, caller
    caller.channel.close()
    process.end()


@pytest.fixture
def kb_id() -> str:
    """A KB of the test's own."""
    return f"kb-{uuid.uuid4()}"


def later(caller: Grpc) -> str:
    """Submit a task that does not run yet. Returns its id."""
    message = SubmitRequest(task_type="test")
    message.run_at.FromJsonString("2100-01-01T00:00:00Z")
    return str(caller.call("Submit", message).task_id)


def test_a_watch_follows_a_task_to_its_end_and_resumes_without_loss(both: Both) -> None:
    payload = Struct()
    payload.update({"message": "x"})
    task_id = both.rpc().call("Submit", SubmitRequest(task_type="test", payload=payload)).task_id
    seen = list(both.rpc().call("Watch", WatchRequest(task_id=task_id)))
    assert seen[-1].event.type == "task.completed"
    assert {answer.event.task_id for answer in seen} == {task_id}
    assert [int(answer.resume_token) for answer in seen] == sorted({int(answer.resume_token) for answer in seen})
    # Everything of the task, from before its first event.
    before = str(int(first_event(both, task_id)) - 1)
    whole = list(both.rpc().call("Watch", WatchRequest(task_id=task_id, resume_token=before)))
    assert [answer.event.type for answer in whole] == [type_ for _, type_ in rest_events(both, task_id, before)]
    for at, answer in enumerate(whole):
        resumed = list(both.rpc().call("Watch", WatchRequest(task_id=task_id, resume_token=answer.resume_token)))
        assert [one.resume_token for one in resumed] == [one.resume_token for one in whole[at + 1 :]]


def first_event(both: Both, task_id: str) -> str:
    """The number of a task's first event."""
    connection = psycopg2.connect(both.deployment.database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT min(id) FROM events WHERE task_id = %s", (task_id,))
            return str(cursor.fetchone()[0])
    finally:
        connection.close()


def rest_events(both: Both, task_id: str, after: str) -> list[tuple[str, str]]:
    """The ids and types of a task's events, by REST."""
    answer = both.rest("GET", f"/tasks/{task_id}/events", headers={"Last-Event-ID": after}).text
    lines = [line.partition(": ") for line in answer.splitlines()]
    ids = [value for name, _, value in lines if name == "id"]
    types = [json.loads(value)["type"] for name, _, value in lines if name == "data"]
    return list(zip(ids, types, strict=True))


def test_one_key_watches_1000_tasks_at_once_and_each_stream_tells_the_end(both: Both, kb_id: str) -> None:
    """Opened in the same moment: none is refused, and none loses what happens while it is being opened."""
    count, run_at = 1000, "2100-01-01T00:00:00Z"
    body = {"tasks": [{"task_type": "test", "kb_id": kb_id, "run_at": run_at}] * count}
    task_ids = [task["task_id"] for task in both.rest("POST", "/tasks/batch", json=body).json()["tasks"]]

    async def followed(stub: TaskServiceStub, task_id: str) -> list[str]:
        stream: Any = stub.Watch(WatchRequest(task_id=task_id), metadata=both.rpc().metadata, timeout=120)
        first = await stream.read()
        opened.append(task_id)
        if len(opened) == count:
            await asyncio.to_thread(both.rest, "POST", "/tasks/cancel", json={"filter": {"kb_id": kb_id}})
        types = [first.event.type]
        while (answer := await stream.read()) is not grpc.aio.EOF:
            assert answer.event.task_id == task_id
            types.append(answer.event.type)
        return types

    async def all_of_them() -> list[list[str]]:
        async with grpc.aio.insecure_channel(both.target) as channel:
            stub = TaskServiceStub(channel)
            return await asyncio.gather(*(followed(stub, task_id) for task_id in task_ids))

    opened: list[str] = []
    assert asyncio.run(all_of_them()) == [["task.waiting", "task.cancelled"]] * count


def test_a_watch_of_everything_begins_where_it_is_now(both: Both) -> None:
    stream = both.rpc().call("Watch", WatchRequest())
    assert next(stream).event.type == "open"
    task_id = later(both.rpc())
    assert eventually(lambda: next(stream).event.task_id == task_id, reason="it is told of the task")
    stream.cancel()


def test_a_deadline_ends_the_call_in_the_process_as_well(second: tuple[Process, Grpc]) -> None:
    process, caller = second
    task_id = later(caller)
    with pytest.raises(grpc.RpcError) as caught:
        caller.call("Get", GetRequest(task_id=task_id, wait=25), timeout=0.5)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    process.terminate()
    # Nothing is left to wait for: the call itself would have taken 25 seconds.
    assert "ended_at_once" not in process.log
    assert "Traceback" not in process.log


def test_sigterm_ends_streams_first_and_calls_in_time(second: tuple[Process, Grpc]) -> None:
    process, caller = second
    streams = [caller.call("Watch", WatchRequest(task_id=later(caller)), timeout=120) for _ in range(20)]
    for stream in streams:
        assert next(stream).event.type == "task.waiting"
    process.terminate()
    assert [list(stream) for stream in streams] == [[]] * 20
    assert "ended_at_once" not in process.log
    assert "Traceback" not in process.log
    assert "CancelledError" not in process.log


def test_health_tells_of_the_process_and_of_each_service(both: Both) -> None:
    stub = health_pb2_grpc.HealthStub(both.rpc(None).channel)
    for service in ("", *(descriptor.full_name for descriptor in SERVICES)):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, service
    with pytest.raises(grpc.RpcError):
        stub.Check(health_pb2.HealthCheckRequest(service="taskmanager.v1.Nothing"), timeout=10)


def test_reflection_describes_the_services_to_whoever_asks(both: Both) -> None:
    database = ProtoReflectionDescriptorDatabase(both.rpc(None).channel)
    assert "taskmanager.v1.TaskService" in database.get_services()
    method = DescriptorPool(database).FindServiceByName("taskmanager.v1.TaskService").methods_by_name["Watch"]
    assert (method.input_type.full_name, method.server_streaming) == ("taskmanager.v1.WatchRequest", True)


def test_a_method_that_the_table_does_not_name_is_not_answered(both: Both) -> None:
    call = both.rpc().channel.unary_unary("/taskmanager.v1.TaskService/Purge")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=10)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_container_is_healthy_while_the_process_answers(second: tuple[Process, Grpc], both: Both) -> None:
    process, _ = second

    def check() -> int:
        command = [sys.executable, "-m", "rpc.alive"]
        return subprocess.run(command, cwd=ROOT, env=process.environment, capture_output=True, check=False).returncode

    assert check() == 0
    process.terminate()
    assert check() == 1


def test_a_port_that_is_taken_stops_the_start(both: Both) -> None:
    deployment: Deployment = both.deployment
    process = deployment.start("rpc", wait=False)
    eventually(lambda: not process.running, seconds=30, reason="it ends")
    assert "task-manager: GRPC_PORT: cannot listen on" in process.log
    assert "Traceback" not in process.log


def test_port_0_is_none_for_a_process_that_serves_nothing_else(both: Both) -> None:
    process = both.deployment.start("rpc", wait=False, GRPC_PORT="0")
    eventually(lambda: not process.running, seconds=30, reason="it ends")
    assert "task-manager: GRPC_PORT: is 0" in process.log
