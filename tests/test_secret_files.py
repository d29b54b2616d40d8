"""Secrets that are mounted as files: read again when they change, and kept when what they hold is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest
import structlog

import keys
from keys import Key, SecretFile, keys_of
from rpc.generated.taskmanager.v1.task_service_pb2 import ListRequest
from rpc.generated.taskmanager.v1.task_service_pb2_grpc import TaskServiceStub
from settings import read
from tests.processes import Deployment
from tests.receiver import SECRET, Receiver
from tests.rpc.conftest import is_serving
from tests.servers import eventually, free_port

OTHER = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def mount(folder: Path, **files: str) -> None:
    """Write files as Kubernetes does: a folder of their own, to which a link leads from one moment to the next."""
    own = folder / f"..{len(list(folder.iterdir()))}"
    own.mkdir()
    for name, text in files.items():
        (own / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    link = folder / "..new"
    link.symlink_to(own.name)
    link.replace(folder / "..data")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the file whenever it is asked for."""
    monkeypatch.setattr(keys, "LOOK_EVERY", 0.0)


@pytest.mark.usefixtures("at_once")
def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    mount(tmp_path, keys="site:one:submit\n\nsite:two:submit, ops:three\n")
    file = SecretFile("API_KEYS_FILE", tmp_path / "keys", keys_of)
    assert [key.secret for key in file.get()] == [b"one", b"two", b"three"]
    mount(tmp_path, keys="site:two:submit")
    assert file.get() == (Key("site", b"two", "submit"),)
    (tmp_path / "keys").unlink()
    (tmp_path / "keys").write_text("site:four:submit")
    assert file.get() == (Key("site", b"four", "submit"),)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "text",
    ["", " \n", "s3cr3t", "site:s3cr3t:owner", "a:s3cr3t:read,a:other", "site:s3cr3té", b"site:s3cr3t\xff", None],
)
def test_what_is_wrong_changes_nothing_and_is_told_once_without_the_secret(
    tmp_path: Path, text: str | bytes | None
) -> None:
    path = tmp_path / "keys"
    path.write_text("site:one")
    file = SecretFile("API_KEYS_FILE", path, keys_of)
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with structlog.testing.capture_logs() as lines:
        assert {file.get() for _ in range(5)} == {(Key("site", b"one"),)}
    assert [line["event"] for line in lines] == ["secret_not_read"]
    assert "API_KEYS_FILE" in lines[0]["reason"]
    assert "s3cr3t" not in str(lines)
    assert r"\xff" not in str(lines)
    path.write_text("site:two")
    assert file.get() == (Key("site", b"two"),)


@pytest.mark.parametrize(
    ("name", "text"),
    [("API_KEYS_FILE", ""), ("API_KEYS_FILE", "s3cr3t"), ("API_KEYS_FILE", None), ("CALLBACK_SECRET_FILE", "s3cr3t")],
)
def test_a_file_that_is_wrong_stops_the_start(tmp_path: Path, name: str, text: str | None) -> None:
    if text is not None:
        (tmp_path / "secret").write_text(text)
    with pytest.raises(ValueError, match=f"^{name}: ") as caught:
        read({name: str(tmp_path / "secret")})
    assert "s3cr3t" not in str(caught.value)
    assert f"Example: {name}=/run/secrets/" in str(caught.value)


def test_a_secret_is_set_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("site:one")
    path = str(tmp_path / "secret")
    with pytest.raises(ValueError, match="API_KEYS_FILE: is set, and API_KEYS as well"):
        read({"API_KEYS": "site:one", "API_KEYS_FILE": path})
    with pytest.raises(ValueError, match="absolute"):
        read({"API_KEYS_FILE": "secret"})
    production = read({"ENVIRONMENT": "production", "API_KEYS_FILE": path})
    assert (production.current_keys(), production.open_to_all) == ((Key("site", b"one"),), False)


def test_every_process_takes_up_a_new_secret_without_a_restart(deployment: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    mount(folder, api_keys="site:old", callback_secret=OTHER)
    port = free_port()
    files = {"API_KEYS_FILE": str(folder / "api_keys"), "CALLBACK_SECRET_FILE": str(folder / "callback_secret")}
    with Receiver() as receiver, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        addresses = {name: value for name, value in receiver.environment.items() if name != "CALLBACK_SECRET"}
        deployment.environment |= {**files, **addresses, "GRPC_PORT": str(port)}
        for name, ready in (("web", None), ("worker", None), ("rpc", is_serving)):
            deployment.start(name, ready=ready)

        def web(key: str) -> bool:
            answer = deployment.http.get("/api/v1/tasks", headers={"Authorization": f"Bearer {key}"})
            return answer.status_code == 200

        def rpc(key: str) -> bool:
            try:
                TaskServiceStub(channel).List(ListRequest(), metadata=[("authorization", f"Bearer {key}")], timeout=20)
            except grpc.RpcError:
                return False
            return True

        def called_back(key: str) -> str | None:
            """What the receiver, which knows SECRET alone, says of the signature of the next callback."""
            before = len(receiver.received)
            headers = {"Authorization": f"Bearer {key}"}
            deployment.http.post("/api/v1/tasks", json={"task_type": "test"}, headers=headers).raise_for_status()
            eventually(lambda: len(receiver.received) > before, seconds=30, reason="it is called back")
            return receiver.received[-1].problem

        def told_of(file: str, *processes: str) -> bool:
            """Whether each of these has said that a file is wrong, in one line."""
            lines = {process.name: process.log.count(f'"reason":"{file}') for process in deployment.processes}
            return all(lines[process_name] == 1 for process_name in processes)

        assert (web("old"), rpc("old"), web("new"), rpc("new")) == (True, True, False, False)
        assert called_back("old") is not None
        mount(folder, api_keys="site:old\nsite:new\n", callback_secret=f"{OTHER} {SECRET}")
        eventually(lambda: web("new") and rpc("new"), seconds=30, every=0.5, reason="the new key is taken")
        assert web("old")
        eventually(lambda: called_back("new") is None, seconds=30, every=0.5, reason="it is signed with both")
        mount(folder, api_keys="site:new", callback_secret=SECRET)
        eventually(lambda: not web("old") and not rpc("old"), seconds=30, every=0.5, reason="the old one is refused")
        mount(folder, api_keys="n0t a key", callback_secret="n0t a secret")
        eventually(
            lambda: web("new") and rpc("new") and told_of("API_KEYS_FILE", "web", "rpc"), every=0.5, reason="they tell"
        )
        eventually(
            lambda: called_back("new") is None and told_of("CALLBACK_SECRET_FILE", "worker"),
            every=0.5,
            reason="it tells",
        )
        assert (web("new"), rpc("new")) == (True, True)
    assert not re.search(r"n0t a|MDEy|C2FV|:new|:old", deployment.logs())
