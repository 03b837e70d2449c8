"""The files of deployment: linters pass, and what they name exists in the product."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask

from data.settings import ENV_PREFIX, Settings
from retrieval.cli import cli
from webui.api.health import health
from webui.auth.keys import TOKEN_VARIABLE

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: pip install '.[dev]'")

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").iterdir())
DOCUMENTS = [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text())]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    """The manifests of these kinds."""
    return [one for one in DOCUMENTS if one["kind"] in kinds]


def pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The pods' labels and specifications."""
    for one in of_kind("Deployment", "StatefulSet", "CronJob"):
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
        yield spec["template"]["metadata"]["labels"], spec["template"]["spec"]


def containers() -> list[dict[str, Any]]:
    """The containers of all pods."""
    return [one for _, pod in pods() for one in pod["containers"]]


def program(name: str) -> str:
    """The path of a linter; without it the test is skipped."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install '.[dev]'")
    return found


def test_the_dockerfile_passes_hadolint() -> None:
    done = subprocess.run([program("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_compose_file_follows_its_schema() -> None:
    command = [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_manifest_follows_its_schema(document: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="not installed: pip install '.[dev]'")
    validate.validate(document, "1.33", strict=True)
    assert document["metadata"].get("namespace", "retroflex") == "retroflex"


def commands() -> list[list[str]]:
    """The arguments of `retroflex` in all containers."""
    own = [one["command"] for one in SERVICES.values() if one["image"] == "retroflex" and "entrypoint" not in one]
    own += [one["args"] for one in containers() if "retroflex:" in one["image"] and "command" not in one]
    image = re.search(r"^CMD (\[.*\])", DOCKERFILE, re.M)
    assert image is not None
    scripts = [str(word) for one in SERVICES.values() for word in one.get("command", [])]
    scripts += [str(word) for one in containers() for word in one.get("args", [])]
    within = [line.split() for word in scripts for line in re.findall(r"\bretroflex (.+)", word)]
    return [*own, *within, yaml.safe_load(image[1])]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_a_command_exists_with_its_options(arguments: list[str]) -> None:
    with click.Context(cli) as context:
        _, command, rest = cli.resolve_command(context, arguments)
        assert command is not None
        command.make_context(arguments[0], rest)


def test_settings_exist() -> None:
    known = {ENV_PREFIX + one.name.upper() for one in fields(Settings)} | {TOKEN_VARIABLE}
    texts = [DOCKERFILE, *(path.read_text() for path in (*MANIFESTS, *DEPLOY.glob("*.*"), DEPLOY / "example.env"))]
    named = {name for text in texts for name in re.findall(rf"\b{ENV_PREFIX}[A-Z_]+", text)}
    assert named >= {"RETROFLEX_LIBRARY", "RETROFLEX_DATABASE_URL", "RETROFLEX_TOKEN"}
    assert named <= known


def test_the_image_has_all_packages_and_extras_that_exist() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", DOCKERFILE, re.M))
    packages = {one.rstrip("*") for one in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert copied == packages
    extras = re.search(r"^ARG EXTRAS=(.*)$", DOCKERFILE, re.M)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    files = {"pyproject.toml", "requirements.txt", "README.md", "LICENSE"}
    assert kept == packages | files
    assert all((ROOT / name).exists() for name in kept)
    assert all(name in DOCKERFILE for name in files)


def test_the_health_address_answers_without_login() -> None:
    app = Flask(__name__)
    app.register_blueprint(health)
    named = {
        path for text in (DOCKERFILE, (DEPLOY / "nginx.conf").read_text()) for path in re.findall(r"/\w+z\b", text)
    }
    probes = [one[name] for one in containers() for name in one if name.endswith("Probe")]
    named |= {one["httpGet"]["path"] for one in probes if "httpGet" in one and one["httpGet"]["port"] == "http"}
    assert named == {"/healthz"}
    assert app.test_client().get("/healthz").json == {"status": "ok"}


def test_only_the_proxy_can_be_reached_from_outside_and_only_on_this_machine() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert list(published) == ["proxy"]
    assert all(str(port).startswith("127.0.0.1:") for port in published["proxy"])
    outside = {name for name, one in SERVICES.items() if "outside" in one["networks"]}
    assert outside == {"proxy"}
    servers = set(re.findall(r"^\s*server (\S+):8000 ", (DEPLOY / "nginx.conf").read_text(), re.M))
    assert servers == {name for name, one in SERVICES.items() if one.get("command", [""])[0] == "serve"}


def test_containers_have_few_rights() -> None:
    for name, one in SERVICES.items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["read_only"], name
        assert one["image"] == "retroflex" or re.search(r":v?\d", one["image"]), f"{name} has no version"
    for one in containers():
        rights = one["securityContext"]
        assert rights["readOnlyRootFilesystem"], one["name"]
        assert not rights["allowPrivilegeEscalation"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in one["resources"]["limits"]
    assert all(pod["securityContext"]["runAsNonRoot"] for _, pod in pods())


def test_no_file_has_a_secret() -> None:
    secret = re.compile(r"PASSWORD|TOKEN")
    environments = [one.get("environment", {}) for one in SERVICES.values()]
    values = [value for one in environments for name, value in one.items() if secret.search(name)]
    assert values
    assert all(value.startswith("${") for value in values)
    variables = [one for container in containers() for one in container.get("env", []) if secret.search(one["name"])]
    assert variables
    example = of_kind("Secret")[0]["stringData"]
    for one in variables:
        assert one["valueFrom"]["secretKeyRef"]["key"] in example
    assert set(example.values()) == {""}
    assert not [path for path in MANIFESTS if path.suffix == ".yaml" and "kind: Secret\n" in path.read_text()]
    given = dict(line.split("=") for line in (DEPLOY / "example.env").read_text().splitlines() if line[0] != "#")
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert set(given) == asked


def test_manifests_fit_together() -> None:
    labels = [one for one, _ in pods()]
    for service in of_kind("Service"):
        selector = service["spec"]["selector"].items()
        assert any(selector <= one.items() for one in labels), service["metadata"]["name"]
    apps = {one["app"] for one in labels}
    for policy in of_kind("NetworkPolicy"):
        named = set(re.findall(r"'app': '(\w[\w-]*)'", str(policy)))
        expressions = re.findall(r"'values': (\[[^]]*\])", str(policy))
        assert named | {one for text in expressions for one in yaml.safe_load(text)} <= apps
    for _, pod in pods():
        volumes = {one["name"] for one in pod.get("volumes", [])} | {"data"}
        assert {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]} <= volumes
    names = {one["metadata"]["name"] for one in of_kind("Service")}
    hosts = re.findall(r"(?:@|//)([a-z-]+)[:/]", str(of_kind("ConfigMap")[0]["data"]))
    assert set(hosts) <= names
    assert set(re.findall(r"@([a-z-]+)/", str(SERVICES))) <= set(SERVICES)
