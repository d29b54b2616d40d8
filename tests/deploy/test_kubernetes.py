"""What Kubernetes is told agrees with its schemas, with the Procfile, and with what the service needs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from settings import VERSION, Settings
from tests.processes import ROOT, procfile

FOLDER = ROOT / "deploy" / "k8s"
OVERLAYS = sorted((FOLDER / "overlays").iterdir())
PROCESSES = ("web", "worker", "clock", "rpc")
#: The oldest release of Kubernetes that the manifests are meant for, and the newest that is known here.
RELEASES = ("1.30", kubernetes_validate.latest_version())
#: Kinds of KEDA, whose schemas are not Kubernetes' own.
FOREIGN = {"ScaledObject", "TriggerAuthentication"}


def resources(folder: Path) -> list[dict[str, Any]]:
    """What a kustomization names, in its own files and those of the others; its patches are left out."""
    manifests: list[dict[str, Any]] = []
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        path = (folder / name).resolve()
        manifests += resources(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    return manifests


def manifest(kind: str, name: str, folder: Path = FOLDER / "base") -> dict[str, Any]:
    (resource,) = (
        entry
        for entry in resources(folder)
        if entry["kind"] == kind and entry["metadata"]["name"] == f"task-manager{name and '-' + name}"
    )
    return resource


def pod(process: str) -> Any:
    kind = "Job" if process == "release" else "Deployment"
    return manifest(kind, process)["spec"]["template"]["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_each_manifest_is_one_that_kubernetes_takes(overlay: Path) -> None:
    manifests = resources(overlay)
    assert len({(entry["kind"], entry["metadata"]["name"]) for entry in manifests}) == len(manifests) > 5
    for entry in manifests:
        if entry["kind"] not in FOREIGN:
            for release in RELEASES:
                kubernetes_validate.validate(entry, release, strict=True)


def test_a_manifest_that_kubernetes_would_refuse_is_noticed() -> None:
    wrong = manifest("Deployment", "web")
    wrong["spec"]["template"]["spec"]["containers"][0]["readinessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, RELEASES[-1], strict=True)


@pytest.mark.parametrize("process", ["release", *PROCESSES])
def test_a_process_runs_the_command_of_the_procfile_in_its_image(process: str) -> None:
    (container,) = pod(process)["containers"]
    assert container["command"] == shlex.split(procfile()[process])
    image = "task-manager" if process in ("release", "web") else f"task-manager-{process}"
    assert container["image"] == image
    images = yaml.safe_load((FOLDER / "overlays" / "managed" / "kustomization.yaml").read_text())["images"]
    suffix = image.removeprefix("task-manager")
    assert {entry["newTag"] for entry in images if entry["name"] == image} == {VERSION + suffix}


@pytest.mark.parametrize("process", ["release", *PROCESSES])
def test_a_process_may_do_no_more_than_it_needs(process: str) -> None:
    spec = pod(process)
    assert spec["securityContext"]["runAsNonRoot"]
    assert f"USER {spec['securityContext']['runAsUser']}\n" in (ROOT / "Dockerfile").read_text()
    assert not spec["automountServiceAccountToken"]
    assert not spec["enableServiceLinks"]
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"].keys() == {"requests", "limits"}
    (container,) = spec["containers"]
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    assert "emptyDir" in spec["volumes"][0]


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_is_probed_and_given_time_and_spread(process: str) -> None:
    spec, settings = pod(process), manifest("ConfigMap", "")["data"]
    (container,) = spec["containers"]
    assert spec["terminationGracePeriodSeconds"] == int(settings["SHUTDOWN_TIMEOUT"]) + 10
    assert [entry["command"] for entry in spec["initContainers"]] == [["python", "-m", "models.migration"]]
    if process == "web":
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
        (port,) = container["ports"]
        assert str(port["containerPort"]) == settings["PORT"]
        assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    elif process == "rpc":
        assert container["readinessProbe"]["exec"]["command"] == ["python", "-m", "rpc.alive"]
        (port,) = container["ports"]
        assert str(port["containerPort"]) == settings["GRPC_PORT"]
        assert container["livenessProbe"]["tcpSocket"]["port"] == port["name"]
    else:
        probe = container["livenessProbe"]["exec"]["command"]
        assert probe == ["python", "-m", "tasks.working.alive", process]
    labels = manifest("Deployment", process)["spec"]["template"]["metadata"]["labels"]
    (spread,) = spec["topologySpreadConstraints"]
    budget = manifest("PodDisruptionBudget", process)["spec"]
    assert spread["labelSelector"]["matchLabels"] == labels == budget["selector"]["matchLabels"]
    assert budget["maxUnavailable"] == 1


def test_what_is_set_are_settings_of_the_service() -> None:
    besides = {"FORWARDED_ALLOW_IPS"}
    assert manifest("ConfigMap", "")["data"].keys() - besides <= {name.upper() for name in Settings.model_fields}


def test_keda_asks_the_service_what_is_wanted_and_not_rabbitmq() -> None:
    overlay = FOLDER / "overlays" / "keda"
    spec = manifest("ScaledObject", "worker", overlay)["spec"]
    assert spec["scaleTargetRef"]["name"] == manifest("Deployment", "worker")["metadata"]["name"]
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "metrics-api"
    service = manifest("Service", "web")
    host, path = re.fullmatch(r"http://([^/]+)/([^?]+)\?target_seconds=60", trigger["metadata"]["url"]).groups()  # type: ignore[union-attr]
    assert host == f"{service['metadata']['name']}.default.svc:{service['spec']['ports'][0]['port']}"
    assert (path, trigger["metadata"]["valueLocation"]) == ("api/v1/stats/scale", "wanted")
    authentication = manifest("TriggerAuthentication", "", overlay)["metadata"]["name"]
    assert trigger["authenticationRef"]["name"] == authentication
    settings = manifest("ConfigMap", "")["data"]
    most = int(settings["MAX_CONCURRENT_TASKS"]) // int(settings["WORKER_POOL_SIZE"])
    assert spec["maxReplicaCount"] == most
    (patch,) = yaml.safe_load((overlay / "kustomization.yaml").read_text())["patches"]
    assert yaml.safe_load(patch["patch"]) == [{"op": "remove", "path": "/spec/replicas"}]
