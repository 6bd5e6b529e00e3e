"""What keeps Docker Compose from being used, told in one sentence; `docker` is a stand-in."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VERSION = '[ "$2" != version ] || { echo 2.39.1; exit; }'
RUNS = {"gateway": "127.0.0.1:8080", "mailpit": "127.0.0.1:8025"}


def run(
    script: str, directory: Path, docker: str | None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script of deploy/ where `docker` is a shell script of this text, or is missing."""
    if docker is not None:
        program = directory / "docker"
        program.write_text(f"#!/bin/sh\n{docker}\n")
        program.chmod(0o755)
    for tool in ("dirname", "head", "sed", "sort"):
        (directory / tool).symlink_to(f"/usr/bin/{tool}")
    return subprocess.run(
        ["/bin/sh", str(ROOT / "deploy" / script), "docker compose"],
        env={**os.environ, **(environment or {}), "PATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("docker", "told"),
    [
        (None, "There is no docker: install Docker with Compose"),
        ("exit 1", "docker has no Compose: install the plugin docker-compose-plugin"),
        (
            f"{VERSION}; echo Cannot connect to the Docker daemon >&2; exit 1",
            "Docker's daemon can't be reached: start it",
        ),
        (
            f"{VERSION}; echo permission denied while trying to connect to docker.sock >&2; exit 1",
            "You may not use Docker's daemon: add yourself to the group docker",
        ),
        *(
            (
                f"echo {version}",
                f"docker compose is Compose {version}, too old for docker-compose.yml: "
                "install Docker Compose 2.7 or newer",
            )
            for version in ("1.29.2", "v2.3.3", "2.6.1")
        ),
    ],
)
def test_what_is_missing_is_one_sentence(docker: str | None, told: str, tmp_path: Path) -> None:
    for script in ("require_compose", "compose_up"):
        directory = tmp_path / script
        directory.mkdir()
        ended = run(script, directory, docker)
        assert ended.returncode == 1
        assert ended.stdout == ""
        assert ended.stderr.startswith(f"muster: {told}")
        assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("version", ["2.7.0", "v2.26.1-4", "2.39.1", "5.0.0"])
def test_where_compose_works_nothing_is_said(version: str, tmp_path: Path) -> None:
    ended = run("require_compose", tmp_path, f"echo {version}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_what_compose_says_of_its_file_is_passed_on(tmp_path: Path) -> None:
    ended = run("require_compose", tmp_path, f'{VERSION}; echo "invalid file" >&2; exit 1')
    assert ended.returncode == 1
    assert ended.stderr == "invalid file\n"


def ports(places: dict[str, str]) -> str:
    """A `docker` that starts everything, and names these places for the ports of services."""
    cases = "".join(f"{service}) echo {place} ;; " for service, place in places.items())
    return f'{VERSION}; [ "$2" != port ] || case $3 in {cases}esac'


def test_what_runs_is_said_to_be_ready(tmp_path: Path) -> None:
    ended = run("compose_up", tmp_path, ports(RUNS))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "muster is ready at http://127.0.0.1:8080, " in ended.stdout
    assert "emails it sends at http://127.0.0.1:8025\n" in ended.stdout


@pytest.mark.parametrize("place", ["", ":0"])
@pytest.mark.parametrize("service", RUNS)
def test_nothing_is_said_to_be_ready_that_does_not_run(
    service: str, place: str, tmp_path: Path
) -> None:
    ended = run("compose_up", tmp_path, ports({**RUNS, service: place}))
    assert ended.returncode == 1
    assert "ready" not in ended.stdout
    assert ended.stderr == (
        f"muster: docker compose ended well, but {service} does not run: "
        "see docker compose ps --all.\n"
    )


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, "--build"),
        ({"MUSTER_TAG": "local"}, "--build"),
        ({"MUSTER_TAG": "0.1.0"}, "--no-build --pull=missing"),
        ({"MUSTER_TAG": "0.1.0", "BUILD": "1"}, "--build"),
    ],
)
def test_a_release_is_pulled_and_the_checkout_is_built(
    environment: dict[str, str], options: str, tmp_path: Path
) -> None:
    docker = f'{ports(RUNS)}; [ "$2" != up ] || echo "$@" >&2'
    ended = run("compose_up", tmp_path, docker, environment)
    assert ended.stderr == f"compose up {options} --detach --wait\n"


def test_a_start_that_fails_is_not_said_to_be_ready(tmp_path: Path) -> None:
    ended = run("compose_up", tmp_path, f'{VERSION}; [ "$2" != up ] || exit 17')
    assert (ended.returncode, ended.stdout) == (17, "")
