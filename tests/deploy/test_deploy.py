"""The files in ``deploy/`` say what the program takes: they are read and held against it, for nobody builds an image in the tests."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from mockserver import Config, create_app
from mockserver.cli import serve
from mockserver.serving import GRACE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
MANIFEST: list[dict[str, Any]] = [*yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {row["metadata"]["name"]: row for row in MANIFEST if row["kind"] == kind}


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind("Deployment")[name]["spec"]["template"]["spec"]
    return spec


COMMANDS: dict[str, list[str]] = {
    "kubernetes": pod("textgen-mock")["containers"][0]["args"],
    "compose": COMPOSE["mock"]["command"],
    "Dockerfile": yaml.safe_load(re.findall("^CMD (.*)", DOCKERFILE, re.MULTILINE)[0]),
}


def config_of(command: list[str]) -> Config:
    """The Config that the command's options make; a click error when they are none."""
    assert "serve" == command[0]
    options = serve.make_context("serve", [*command[1:]]).params
    options["models"] = options["models"] or Config().models
    options["max_input_tokens"] = options["max_input_tokens"] or Config().max_input_tokens
    return Config(**options)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_program_takes_the_options_and_listens_where_it_is_asked(command: list[str]) -> None:
    config = config_of(command)

    assert ("0.0.0.0", 8080) == (config.host, config.port)
    assert "EXPOSE 8080" in DOCKERFILE


def test_all_replicas_share_the_redis_that_stands_beside_them() -> None:
    in_compose, in_kubernetes = (urlsplit(config_of(COMMANDS[name]).state or "") for name in ("compose", "kubernetes"))

    assert ("redis", 6379) == (in_compose.hostname, in_compose.port)
    assert in_compose.hostname in COMPOSE
    assert in_kubernetes.hostname in of_kind("Service")
    assert min(COMPOSE["mock"]["deploy"]["replicas"], of_kind("Deployment")["textgen-mock"]["spec"]["replicas"]) > 1
    assert 1 == of_kind("Deployment")["textgen-mock-redis"]["spec"]["replicas"]


@pytest.mark.parametrize("name", ["textgen-mock", "textgen-mock-redis"])
def test_a_service_leads_to_the_port_of_its_pods(name: str) -> None:
    service = of_kind("Service")[name]["spec"]
    labels = of_kind("Deployment")[name]["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in pod(name)["containers"][0]["ports"]}

    assert service["selector"] == labels == of_kind("Deployment")[name]["spec"]["selector"]["matchLabels"]
    assert service["ports"][0]["targetPort"] in ports


def test_the_probes_ask_for_what_is_there() -> None:
    container = pod("textgen-mock")["containers"][0]
    client = create_app(Config()).test_client()

    for probe in ("readinessProbe", "livenessProbe"):
        assert "http" == container[probe]["httpGet"]["port"]
        assert 200 == client.get(container[probe]["httpGet"]["path"]).status_code


def test_open_streams_are_given_their_time() -> None:
    assert pod("textgen-mock")["terminationGracePeriodSeconds"] > GRACE
    assert int(COMPOSE["mock"]["stop_grace_period"].removesuffix("s")) > GRACE


def test_the_control_token_comes_from_a_secret() -> None:
    container = pod("textgen-mock")["containers"][0]
    (variable,) = container["env"]
    reference = variable["valueFrom"]["secretKeyRef"]

    assert f"$({variable['name']})" == config_of(container["args"]).control_token
    assert reference["key"] in of_kind("Secret")[reference["name"]]["stringData"]


@pytest.mark.parametrize("name", ["textgen-mock", "textgen-mock-redis"])
def test_no_pod_has_more_rights_than_it_needs(name: str) -> None:
    told = pod(name)

    assert told["securityContext"]["runAsNonRoot"]
    assert not told["automountServiceAccountToken"]
    for container in told["containers"]:
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"]["memory"]


def test_redis_keeps_within_its_memory() -> None:
    for command in (COMPOSE["redis"]["command"], pod("textgen-mock-redis")["containers"][0]["args"]):
        assert "--maxmemory 256mb --maxmemory-policy allkeys-lru" in shlex.join(command)


def test_the_image_is_built_from_what_is_there_and_with_what_redis_needs() -> None:
    build = COMPOSE["mock"]["build"]

    assert ROOT == (DEPLOY / build["context"]).resolve()
    assert (ROOT / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    assert '"/source[redis]"' in DOCKERFILE
