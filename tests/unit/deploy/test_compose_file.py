"""docker-compose.yml: what it promises of every container."""

import re
from pathlib import Path

import pytest

from tests.compose_file import FILE, containers, default_of

ROOT = Path(__file__).parents[3]
TEXT = FILE.read_text("utf-8")
CONTAINERS = containers()
OURS = sorted(name for name, each in CONTAINERS.items() if each["image"].startswith("muster/"))
ONCE = {"auth-admin", "auth-migrations", "dbuploader-migrations", "notification-migrations"}


def test_all_processes_of_the_suite_are_there() -> None:
    assert set(OURS) == ONCE | {
        "auth",
        "dbuploader",
        "dbuploader-consumer",
        "gateway",
        "gateway-relay",
        "notification",
        "notification-consumer",
        "notification-webhooks",
        "queries",
    }


@pytest.mark.parametrize("name", OURS)
def test_a_process_of_ours_can_write_nowhere_and_gain_no_right(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["mem_limit"]
    assert "privileged" not in container
    assert "user" not in container


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_container_that_stays_has_a_health_check(name: str) -> None:
    check = CONTAINERS[name]["healthcheck"]
    assert check == {"disable": True} if name in ONCE else check["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_what_is_waited_for_is_waited_for_until_it_is_well_or_done(name: str) -> None:
    for needed, how in CONTAINERS[name].get("depends_on", {}).items():
        done = "service_completed_successfully" if needed in ONCE else "service_healthy"
        assert how == {"condition": done}


def test_every_image_of_others_is_pinned() -> None:
    images = {CONTAINERS[name]["image"] for name in CONTAINERS if name not in OURS}
    assert images >= {"mysql:9.7", "mongo:8.0", "rabbitmq:4.3-management"}
    assert all(re.search(r":v?\d+\.\d+", image) for image in images)


def test_the_images_are_built_on_the_one_that_the_dockerfiles_name() -> None:
    builds = [each["build"] for each in CONTAINERS.values() if "build" in each]
    named = {
        default_of(value) if name == "PYTHON_IMAGE" else name
        for build in builds
        for name, value in build["args"].items()
    }
    files = {(ROOT / build["dockerfile"]).read_text("utf-8") for build in builds}
    assert named == {re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", text, re.M)[0] for text in files}


def test_each_image_of_ours_is_built_once() -> None:
    built = [CONTAINERS[name]["image"] for name in OURS if "build" in CONTAINERS[name]]
    assert len(built) == len(set(built))
    assert set(built) == {CONTAINERS[name]["image"] for name in OURS}


def test_only_the_gateway_and_the_mail_catcher_are_published_and_only_here() -> None:
    ports = {name: each["ports"] for name, each in CONTAINERS.items() if "ports" in each}
    assert set(ports) == {"gateway", "mailpit"}
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_no_secret_stands_in_the_file_nor_has_a_default() -> None:
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|KEY))([^}]*)\}", TEXT)
    assert len(secrets) > 10
    assert {default for _, default in secrets} == {":?make env"}
    assert re.findall(r"(?:PASSWORD|PASS|KEY): (?!\$\{)", TEXT) == []
    assert re.findall(r"://\w+:(?!\$\{)[^@\s]*@", TEXT) == []


def test_the_example_names_every_variable_that_is_read_and_no_other() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    named = re.findall(r"^(?:# )?(\w+)=", example, re.MULTILINE)
    assert sorted(named) == sorted(set(re.findall(r"\$\{(\w+)", TEXT)))


def test_an_image_that_the_example_names_is_the_default() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    named = dict(re.findall(r"^# (\w+_IMAGE)=(\S+)$", example, re.MULTILINE))
    assert named == dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", TEXT))


def test_each_process_gets_the_account_of_its_own_and_no_other_secret() -> None:
    urls = {
        name: re.findall(r"mysql://(\w+):", str(CONTAINERS[name]["environment"])) for name in OURS
    }
    assert {name: accounts for name, accounts in urls.items() if accounts} == {
        "auth": ["auth"],
        "auth-admin": ["auth"],
        "auth-migrations": ["auth_migrations"],
        "dbuploader": ["dbuploader"],
        "dbuploader-consumer": ["dbuploader"],
        "dbuploader-migrations": ["dbuploader_migrations"],
        "notification": ["notification"],
        "notification-consumer": ["notification"],
        "notification-migrations": ["notification_migrations"],
        "notification-webhooks": ["notification"],
        "queries": ["queries"],
    }
