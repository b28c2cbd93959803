"""The compose file: what it starts, with which settings, and who can reach it. No Docker is needed."""

import re
import shlex
from typing import Any

import pytest

from service.settings import IsolatedSettings
from tests.compose import DEPLOY, compose, settings_in
from tests.guide import GUIDE
from tests.identities import SERVICE_TOKEN

SERVICES = compose()["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
EACH = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def started_by(profile: str) -> set[str]:
    return {name for name, service in SERVICES.items() if profile in service["profiles"]}


def test_each_way_is_one_profile() -> None:
    assert started_by("service") == {"clips"}
    assert started_by("sandbox") == {"sandbox", "trial"}


@EACH
def test_each_container_is_built_from_the_checkout(service: Any) -> None:
    assert (DEPLOY / service["build"]["context"]).resolve() == DEPLOY.parent.resolve()
    assert (DEPLOY.parent / service["build"]["dockerfile"]).is_file()


def test_sandbox_is_built_with_its_libraries_and_the_service_alone_without() -> None:
    extras = {name: service["build"].get("args", {}).get("EXTRAS", "") for name, service in SERVICES.items()}
    assert extras == {"clips": "", "sandbox": "demo", "trial": "demo"}
    assert re.search(r"^ARG EXTRAS=$", DOCKERFILE, re.MULTILINE)


@EACH
def test_each_container_is_reached_from_this_machine_alone(service: Any) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "ports" in service or service["network_mode"] == "service:sandbox"


def test_service_alone_comes_back_after_a_crash() -> None:
    assert SERVICES["clips"]["restart"] == "unless-stopped"


@EACH
def test_each_container_keeps_its_data_in_a_volume(service: Any) -> None:
    (mount,) = service["volumes"]
    volume, _, folder = mount.partition(":")
    assert volume in compose()["volumes"]
    assert re.search(rf"^WORKDIR {folder}$", DOCKERFILE, re.MULTILINE), "the image makes it, for its user"


def test_service_has_the_port_of_its_env_file_inside_and_outside() -> None:
    for variables, port in (({}, "8000"), ({"PORT": "9000"}, "9000")):
        clips = compose(**variables)["services"]["clips"]
        assert clips["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert settings_in(clips["environment"]) == {"port": port}
    assert SERVICES["clips"]["env_file"] == ".env"


def test_settings_of_the_trial_fit_together_where_others_can_call() -> None:
    settings = IsolatedSettings(**settings_in(SERVICES["trial"]["environment"]), host="0.0.0.0")
    assert settings.service_token is not None
    assert settings.public_url is None
    token = settings.service_token.get_secret_value()
    assert f"`{token}`" in GUIDE
    assert token != SERVICE_TOKEN


def test_service_alone_is_refused_without_a_token() -> None:
    with pytest.raises(ValueError, match="set SERVICE_TOKEN"):
        IsolatedSettings(runware_api_key="key", host="0.0.0.0")


def test_guide_and_file_name_the_same_commands() -> None:
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    commands = [line.strip("# ") for line in text.splitlines() if line.startswith("#     docker compose")]
    assert len(commands) == 2
    for command in commands:
        assert command in GUIDE
        assert "--profile" in shlex.split(command)
