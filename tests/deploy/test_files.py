"""The files of deploy/ by the schemas and linters of those who read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.settings import SETTINGS
from tests.conftest import ROOT
from tests.deploy.certificates import Authority

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KUSTOMIZATION = DEPLOY / "kubernetes" / "kustomization.yaml"


def tool(name: str) -> str:
    """Return a program of deploy/tools.sh; the test is skipped where it is not installed."""
    found = shutil.which(name, path=f"{ROOT / 'var/tools/bin'}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed: deploy/tools.sh")
    return found


def run(*command: str) -> tuple[int, str]:
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one]


def compose() -> dict[str, Any]:
    (found,) = documents(DEPLOY / "compose.yaml")
    return found


def test_the_compose_file_fits_its_schema(tmp_path: Path) -> None:
    check = (tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec")
    code, said = run(*check, "deploy/compose.yaml")
    assert code == 0, said
    wrong = tmp_path / "compose.yaml"
    wrong.write_text("services: {a: {image: b, cap_dropp: [ALL]}}")
    assert run(*check, str(wrong))[0] != 0


def test_the_manifests_fit_the_schemas_of_kubernetes(tmp_path: Path) -> None:
    check = (tool("kubernetes-validate"), "--strict")
    code, said = run(*check, *(str(one) for one in MANIFESTS if one != KUSTOMIZATION))
    assert code == 0, said
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {port: 1}\n")
    assert run(*check, str(wrong))[0] != 0


def test_the_containerfile_passes_its_linter() -> None:
    code, said = run(tool("hadolint"), "deploy/mlflow/Containerfile")
    assert code == 0, said


def test_nginx_reads_the_configuration_that_ships(tmp_path: Path) -> None:
    nginx, envsubst = tool("nginx"), tool("envsubst")
    authority = Authority(tmp_path, "clients")
    authority.sign("server", "api.bank.example")
    environ = {
        "SEEDRATE_HOST": "api.bank.example",
        "SEEDRATE_SERVERS": "server 127.0.0.1:3000;",
        "TLS_FOLDER": str(tmp_path),
        "HTTPS_PORT": "8443",
        "HEALTH_PORT": "8081",
        "RUN_FOLDER": str(tmp_path),
    }
    names = " ".join(f"${{{name}}}" for name in environ)
    filled = subprocess.run(
        [envsubst, names],
        input=(DEPLOY / "nginx/nginx.conf.template").read_bytes(),
        env={**os.environ, **environ},
        capture_output=True,
        check=True,
    ).stdout
    path = tmp_path / "nginx.conf"
    for text, expected in ((filled, 0), (filled.replace(b"TLSv1.3", b"TLSv9"), 1)):
        path.write_bytes(text)
        code, said = run(nginx, "-t", "-c", str(path))
        assert code == expected, said


def test_every_container_is_as_small_as_it_can_be() -> None:
    for name, service in compose()["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["user"].split(":")[0]) > 0, name
        assert not service.get("privileged"), name
        assert "healthcheck" in service or service["restart"] == "no" or "profiles" in service, name
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in [*pod["containers"], *pod.get("initContainers", ())]:
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"], container["name"]
            assert allowed["capabilities"] == {"drop": ["ALL"]}, container["name"]
            assert not allowed["allowPrivilegeEscalation"], container["name"]
            assert {"requests", "limits"} <= set(container["resources"]), container["name"]


def pods() -> list[dict[str, Any]]:
    found = [one for path in MANIFESTS for one in documents(path)]
    return [one["spec"]["template"]["spec"] for one in found if "template" in one.get("spec", {})]


def test_no_secret_is_written_down() -> None:
    given = compose()
    declared = given["secrets"]
    for name, service in given["services"].items():
        asked = service.get("secrets", ())
        wanted = {one if isinstance(one, str) else one["source"] for one in asked}
        assert wanted <= set(declared), name
        for key, value in (service.get("environment") or {}).items():
            secret = re.search("PASSWORD|SECRET|KEY|PASSFILE|PEPPER", key)
            assert not secret or str(value).startswith("/run/secrets/"), (name, key)
            assert not re.search(r"://\w+:[^/]+@", str(value)), (name, key)
    assert all(one["file"].startswith("secrets/") for one in declared.values())
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text("utf-8").split()


def test_every_setting_that_they_name_exists() -> None:
    known = {one.name for one in SETTINGS} | {"SEEDRATE_HOST", "SEEDRATE_SERVERS"}  # of the proxy
    files = [DEPLOY / "compose.yaml", *MANIFESTS, *(DEPLOY / "nginx").iterdir()]
    named = {name for one in files for name in re.findall(r"SEEDRATE_\w+", one.read_text("utf-8"))}
    assert named <= known
    assert "SEEDRATE_LEDGER_KEY" in named


def test_the_kustomization_names_files_that_exist_and_all_of_them() -> None:
    (found,) = documents(KUSTOMIZATION)
    assert {*found["resources"]} == {one.name for one in MANIFESTS} - {KUSTOMIZATION.name}
    files = [name for one in found["configMapGenerator"] for name in one.get("files", ())]
    assert [name for name in files if not (KUSTOMIZATION.parent / name).is_file()] == []


def test_the_registry_has_the_version_that_the_lock_has() -> None:
    lock = set((ROOT / "requirements.lock").read_text("utf-8").split())
    text = (DEPLOY / "mlflow/Containerfile").read_text("utf-8")
    assert {one for one in re.findall(r"mlflow==\S+", text)} <= lock
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert compose()["services"]["seedrate-1"]["image"] == f"seedrate:{version}"


def test_they_stop_servers_as_gently_as_servers_need() -> None:
    (pod,) = [one for one in pods() if one["containers"][0]["name"] == "seedrate"]
    assert pod["terminationGracePeriodSeconds"] == 45
    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    assert compose()["services"]["seedrate-2"]["stop_grace_period"] == "45s"
