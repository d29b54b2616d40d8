"""What is deployed: the Procfile, the image and the compose file say the same thing."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents.readers.shared import ocr
from settings import Settings
from tests.processes import ROOT, Deployment, procfile
from tests.servers import eventually, free_port
from tests.test_architecture import MAY_IMPORT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def shell(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command answers, with these variables and no others but PATH."""
    path = environment.pop("PATH", os.environ["PATH"])
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": path, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("process", procfile())
def test_compose_runs_each_process_with_the_command_of_the_procfile(process: str) -> None:
    assert SERVICES[process]["command"] == procfile()[process]


@pytest.mark.parametrize("process", ["web", "worker", "clock", "rpc"])
def test_the_image_has_a_target_for_each_process_with_the_same_command(process: str) -> None:
    stage = DOCKERFILE.partition(f" AS {process}\n")[2].partition("\nFROM ")[0]
    command = re.search(r"^CMD (\[.*\])$", stage, re.MULTILINE)
    assert command
    assert json.loads(command[1]) == shlex.split(procfile()[process])
    assert SERVICES[process]["build"]["target"] == process


def test_the_image_holds_what_exists_and_all_that_its_processes_import() -> None:
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), f"COPY {source}: there is no such file"
        copied.update(source.rstrip("/").removesuffix(".py") for source in sources)
    assert MAY_IMPORT.keys() - {"embedded", "task_manager_client", "demo"} <= copied
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert copied.isdisjoint(line.strip("/") for line in ignored)


def test_the_image_is_small_and_not_run_by_root() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[0]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    assert len(re.findall(r"^FROM python:3\.11-slim\S* AS ", DOCKERFILE, re.MULTILINE)) == 2
    assert "--without-pip" in DOCKERFILE
    assert "HEALTHCHECK" in DOCKERFILE
    assert "ADD " not in DOCKERFILE


@pytest.mark.parametrize("extras", ["", "model otel s3"])
def test_the_image_holds_what_every_process_needs_and_what_it_is_built_with(extras: str) -> None:
    (sets,) = re.findall(r"\$\(.*\)", DOCKERFILE)
    said = shell("sh", "-ec", f"echo {sets}", EXTRAS=extras).stdout.split()
    assert said[::2] == ["-r"] * (len(said) // 2)
    assert said[1::2] == [f"requirements/{name}.txt" for name in ("web", "worker", "clock", "rpc", *extras.split())]
    assert all((ROOT / path).exists() for path in said[1::2])


@pytest.mark.parametrize(("recognition", "conversion"), [("", ""), ("yes", ""), ("", "yes"), ("yes", "yes")])
def test_the_image_of_the_worker_has_the_programs_that_it_is_built_with(
    tmp_path: Path, recognition: str, conversion: str
) -> None:
    (stage,) = re.findall(r"^FROM service AS worker\n(.*?)^FROM ", DOCKERFILE, re.MULTILINE | re.DOTALL)
    for program in ("tesseract-", "libreoffice-"):
        assert DOCKERFILE.count(program) == stage.count(program) > 0, "no other process reads documents"
    assert re.findall(r"^USER (.*)$", stage, re.MULTILINE) == ["root", "10001"]
    (command,) = re.findall(r"^RUN (if (?:.*\\\n)+.*)$", stage, re.MULTILINE)
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    apt.chmod(0o755)
    (tmp_path / "rm").symlink_to(shutil.which("true") or "/bin/true")
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = shell("sh", "-ec", command, OCR=recognition, LIBREOFFICE=conversion, PATH=path)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().split() if recognition or conversion else []
    packages = set()
    if recognition:
        packages |= {f"tesseract-ocr-{language.replace('_', '-')}" for language in ocr.LANGUAGES} | {"tesseract-ocr"}
    if conversion:
        packages |= {f"libreoffice-{part}-nogui" for part in ("writer", "impress")}
    assert {word for word in asked if word.startswith(("tesseract", "libreoffice"))} == packages
    assert SERVICES["worker"]["build"]["args"] == {"OCR": "${OCR:-}", "LIBREOFFICE": "${LIBREOFFICE:-}"}


def test_compose_has_the_whole_deployment_and_knows_when_it_is_healthy() -> None:
    parts = {"postgres", "rabbitmq", "release", "web", "worker", "clock", "rpc", "prometheus", "grafana"}
    assert parts == SERVICES.keys()
    for name in ("worker", "clock"):
        check = SERVICES[name]["healthcheck"]["test"]
        assert check == ["CMD", "python", "-m", "tasks.working.alive", name]
        assert f" CMD {json.dumps(check[1:])}\n" in DOCKERFILE
    for name in ("postgres", "rabbitmq", "prometheus", "grafana"):
        assert SERVICES[name].keys() >= {"healthcheck", "restart"}, name
        assert SERVICES[name]["image"].partition(":")[2] not in ("", "latest"), name
    named = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    for volume in named:
        assert volume in COMPOSE["volumes"] or volume.startswith("$") or (ROOT / volume).exists(), volume
    assert COMPOSE["volumes"].keys() <= set(named)


@pytest.mark.parametrize("process", ["web", "worker", "clock", "rpc"])
def test_a_process_waits_for_the_schema_and_is_given_time_to_hand_back_its_work(process: str) -> None:
    service = SERVICES[process]
    assert service["depends_on"]["release"]["condition"] == "service_completed_successfully"
    assert int(service["stop_grace_period"].removesuffix("s")) > 25
    assert service["environment"]["DATABASE_URL"].endswith("@postgres:5432/tasks")


def test_no_secret_is_written_down_that_cannot_be_replaced() -> None:
    for line in (ROOT / "docker-compose.yml").read_text().splitlines():
        if re.search(r"PASS\w*:", line):
            assert re.search(r"\$\{\w+:-\w+\}", line), line


def test_postgresql_logs_no_value_of_a_statement_that_failed() -> None:
    (complete, *_) = yaml.safe_load_all((ROOT / "deploy/k8s/overlays/complete/postgres.yaml").read_text())
    (container,) = complete["spec"]["template"]["spec"]["containers"]
    for command in (SERVICES["postgres"]["command"].split(), container["args"]):
        assert {"log_min_error_statement=panic", "log_error_verbosity=terse"} <= set(command)


def test_compose_is_open_to_its_own_machine_alone_unless_told_otherwise() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert "web" in ports
    for name, opened in ports.items():
        for port in opened:
            assert port.startswith(("127.0.0.1:", "${WEB_ADDRESS:-127.0.0.1}:")), f"{name} {port}"


def test_no_container_may_gain_rights_or_take_the_whole_machine() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert bool(service.get("cap_add")) == (name in ("postgres", "rabbitmq")), name
    for process in procfile():
        assert SERVICES[process]["read_only"], process


@pytest.mark.parametrize("process", procfile())
def test_systemd_runs_each_process_with_the_command_of_the_procfile(process: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    assert unit.read(ROOT / "deploy" / "systemd" / f"task-manager-{process}.service")
    service = unit["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert [Path(program).name, *arguments] == shlex.split(procfile()[process])
    assert Path(program).is_absolute()
    assert service["NoNewPrivileges"] == service["DynamicUser"] == service["PrivateTmp"] == "yes"
    assert (service["CapabilityBoundingSet"], service["ProtectSystem"]) == ("", "strict")
    if process == "release":
        assert service["Type"] == "oneshot"
    else:
        assert int(service["TimeoutStopSec"]) == Settings().shutdown_timeout + 10
        assert unit["Unit"]["Requires"] == "task-manager-release.service"


@pytest.mark.parametrize("kind", ["worker", "clock"])
def test_a_container_is_healthy_while_its_process_beats(deployment: Deployment, kind: str) -> None:
    def check(**more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tasks.working.alive", kind]
        environment = {**deployment.environment, "LEASE_SECONDS": "5", **more}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    silent = check()
    assert silent.returncode == 1
    assert "LEASE_SECONDS" in silent.stderr
    process = deployment.start(kind, LEASE_SECONDS="5")
    assert check().returncode == 0
    for member in process.members:
        member.suspend()
    eventually(lambda: check().returncode == 1, seconds=60, reason="it is silent")
    away = check(DATABASE_URL=f"postgresql://x@127.0.0.1:{free_port()}/x")
    assert away.returncode == 0
    assert "PostgreSQL" in away.stdout


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ["10", "--processes 1 --threads 10 --worker-shutdown-timeout 15000"]),
        (
            {"WORKER_POOL_SIZE": "3", "SHUTDOWN_TIMEOUT": "7.5"},
            ["3", "--processes 1 --threads 3 --worker-shutdown-timeout 4200"],
        ),
    ],
)
def test_a_worker_pulls_no_more_than_it_has_threads(
    tmp_path: Path, environment: dict[str, str], expected: list[str]
) -> None:
    stand_in = tmp_path / "dramatiq"
    stand_in.write_text('#!/bin/sh\necho "$dramatiq_queue_prefetch"\necho "$*"\n')
    stand_in.chmod(0o755)
    command = procfile()["worker"]
    answer = shell("/bin/sh", "-c", command, PATH=f"{tmp_path}:{os.environ['PATH']}", **environment)
    prefetch, arguments = answer.stdout.splitlines()
    assert prefetch == expected[0]
    assert expected[1] in arguments
    assert arguments.startswith("worker.boot:boot ")


def test_make_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)
    output = shell("make", "--no-print-directory", "help").stdout
    assert [line.split()[1] for line in output.splitlines()] == phony


def test_make_says_what_to_install_where_there_is_no_python(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    done = shell("make", "-C", str(tmp_path), "demo", "PYTHON=")
    assert done.returncode != 0
    assert "No Python 3.11 or newer" in done.stderr
    assert "apt-get install" in done.stderr


@pytest.mark.parametrize(
    "script", ["deploy/worker.sh", "deploy/backup.sh", "deploy/restore.sh", "requirements/compile.sh", ".ci/run"]
)
def test_a_script_is_well_formed(script: str) -> None:
    interpreter = "bash" if (ROOT / script).read_text().startswith("#!/usr/bin/env bash") else "sh"
    assert shell(interpreter, "-n", script).returncode == 0
