from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream import __version__
from stream.cli import app, topics_app
from stream.model_specs import MODELS
from stream.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
OURS = "storestream"


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def settings_of(service: dict[str, Any]) -> dict[str, str]:
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in service.get("environment", {}).items()
        if name.startswith(PREFIX)
    }


def images() -> Iterator[str]:
    yield from (service["image"] for service in services().values())
    for file in (ROOT / "deploy").glob("*Dockerfile"):
        yield from re.findall(r"^FROM (\S+)", file.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", ["worker", "topics"])
def test_environment_of_our_containers_is_a_valid_configuration(name: str) -> None:
    values = settings_of(services()[name])

    settings = Settings(**values)  # type: ignore[arg-type] # parsed as the environment is

    assert settings.partitions == 4
    assert settings.idempotent


def test_variables_are_text_and_not_yaml_s_idea_of_it() -> None:
    values = [
        value
        for service in services().values()
        for value in service.get("environment", {}).values()
    ]

    assert all(isinstance(value, str) for value in values)


def test_every_image_is_pinned() -> None:
    found = list(images())

    assert found
    assert all(re.search(r":\d+\.\d+", image) for image in found), found


def test_our_images_carry_this_version() -> None:
    ours = [image for image in images() if image.startswith(OURS)]

    assert ours
    assert all(image.endswith(f":{__version__}") for image in ours)


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for service in services().values() for port in service.get("ports", ())]

    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_services_name_each_other_and_what_exists() -> None:
    known = services()
    settings = settings_of(known["worker"])

    assert settings["bootstrap_servers"].split(":")[0] in known
    assert settings["triton_url"].split(":")[0] in known
    for service in known.values():
        assert set(service.get("depends_on", {})) <= set(known)
        build = service.get("build")
        assert build is None or (ROOT / build["dockerfile"]).is_file()


def test_clients_inside_are_told_an_address_that_they_reach() -> None:
    kafka = services()["kafka"]["environment"]
    bootstrap = settings_of(services()["worker"])["bootstrap_servers"]

    assert f"INSIDE://{bootstrap}" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert "OUTSIDE://127.0.0.1:9092" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")


def test_triton_loads_every_model() -> None:
    command = services()["triton"]["command"]

    loaded = {word.removeprefix("--load-model=") for word in command if "load-model" in word}

    assert loaded == {spec.name for spec in MODELS}


def test_long_running_services_say_whether_they_are_well() -> None:
    known = services()

    assert all("healthcheck" in known[name] for name in ("kafka", "triton", "worker"))


def test_worker_may_finish_its_shutdown() -> None:
    worker = services()["worker"]
    grace_s = int(worker["stop_grace_period"].removesuffix("s"))

    assert grace_s > Settings().shutdown_timeout_s


def test_commands_of_our_containers_exist() -> None:
    named = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    }
    topics = {command.name for command in topics_app.registered_commands}

    assert services()["worker"]["command"] == ["worker"]
    assert "worker" in named
    assert services()["topics"]["command"] == ["topics", "create"]
    assert "create" in topics
