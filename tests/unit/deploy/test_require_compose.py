"""What keeps Docker Compose from being used, told in one sentence; `docker` is a stand-in."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def require(directory: Path, docker: str | None) -> subprocess.CompletedProcess[str]:
    """Run the check where `docker` is a shell script of this text, or is missing."""
    if docker is not None:
        program = directory / "docker"
        program.write_text(f"#!/bin/sh\n{docker}\n")
        program.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", str(ROOT / "deploy/require_compose"), "docker compose"],
        env={**os.environ, "PATH": str(directory)},
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
            '[ "$2" = version ] || '
            "{ echo Cannot connect to the Docker daemon at unix:///docker.sock >&2; exit 1; }",
            "Docker's daemon can't be reached: start it",
        ),
        (
            '[ "$2" = version ] || '
            "{ echo permission denied while trying to connect to docker.sock >&2; exit 1; }",
            "You may not use Docker's daemon: add yourself to the group docker",
        ),
        (
            '[ "$2" = version ] || '
            """{ echo "The Compose file 'x.yml' is invalid because:" >&2; exit 1; }""",
            "docker compose is too old for docker-compose.yml",
        ),
    ],
)
def test_what_is_missing_is_one_sentence(docker: str | None, told: str, tmp_path: Path) -> None:
    ended = require(tmp_path, docker)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"muster: {told}")
    assert ended.stderr.count("\n") == 1


def test_where_compose_works_nothing_is_said(tmp_path: Path) -> None:
    ended = require(tmp_path, "echo NAME IMAGE")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_what_compose_says_of_its_file_is_passed_on(tmp_path: Path) -> None:
    ended = require(tmp_path, '[ "$2" = version ] || { echo "invalid file" >&2; exit 1; }')
    assert ended.returncode == 1
    assert ended.stderr == "invalid file\n"
