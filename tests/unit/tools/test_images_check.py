"""What `make images-check` takes for granted, held without podman."""

import json
import re
import resource
import sys
import tomllib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.demo.mailbox import emails_in_mailpit, wait_for_email
from tests.compose_file import containers
from tests.servers.http import serving
from tests.servers.mongodb import require_mongodb
from tests.servers.process import free_port
from tools.images_check import bases, images, stack
from tools.images_check.commands import CommandFailed, run
from tools.images_check.stand_ins.mailpit import mailpit

ROOT = Path(__file__).parents[3]
STAND_INS = ROOT / "tools/images_check/stand_ins"


def named_images() -> set[str]:
    composed = {each["image"] for each in containers().values()}
    bases_of_ours = {
        base
        for service in images.SERVICES
        for base in re.findall(
            r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / service / "Dockerfile").read_text(), re.M
        )
    }
    return {name for name in composed if not name.startswith("muster/")} | bases_of_ours


def test_every_image_of_others_has_a_stand_in_of_its_name() -> None:
    short = {re.sub(r"^docker\.io/(library/)?", "", name) for name in bases.STAND_INS}
    assert short == named_images()
    for directory in bases.STAND_INS.values():
        assert (STAND_INS / directory / "Dockerfile").is_file()


def test_the_stand_ins_bring_what_the_lock_pins() -> None:
    locked = {
        package["name"]: package["version"]
        for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
        if "version" in package
    }
    pinned = [
        pin
        for file in STAND_INS.glob("*/Dockerfile")
        for pin in re.findall(r"(\w+)==(\S+)", file.read_text("utf-8"))
    ]
    assert len(pinned) == 3
    assert pinned == [(name, locked[name]) for name, _ in pinned]


# In a process of its own, for SecantusDB imports NumPy.
_HELLO = """\
import json, sys
from pathlib import Path
from pymongo import MongoClient
from tools.images_check.stand_ins.mongo.mongod import member
server = member(Path(sys.argv[1]), int(sys.argv[2]), require_auth=False)
server.start()
with MongoClient("127.0.0.1", int(sys.argv[2]), directConnection=True) as client:
    said = client.admin.command("hello")
print(json.dumps({each: said[each] for each in ("me", "primary", "hosts")}))
server.stop()
"""


def test_the_stand_in_of_mongodb_keeps_its_name_when_its_address_changes(tmp_path: Path) -> None:
    require_mongodb()
    (name,) = re.findall(r'host: "(.+?)"', (ROOT / "deploy/mongo/health.js").read_text("utf-8"))
    said = run(sys.executable, "-c", _HELLO, str(tmp_path / "data"), str(free_port()))
    assert json.loads(said) == {"me": name, "primary": name, "hosts": [name]}


class FakePodman:
    """Containers that get well one by one; `calls` are docker-compose's, by their commands.

    Of what is to run, `missing` does not.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.seconds: dict[str, float] = {}
        self.missing: set[str] = set()
        self.sick = ["auth-db", "mongo"]

    def compose(self, *arguments: str, timeout: float = 0, **_options: Any) -> str:
        self.calls.append(next(word for word in arguments if not word.startswith("-")))
        self.seconds[self.calls[-1]] = timeout
        return ""

    def services(self, project: str) -> set[str]:
        assert project == "muster-check"
        whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
        once = {"auth-admin", "auth-migrations", "dbuploader-migrations"}
        return set(whole) - once - self.missing

    def unwell(self) -> list[str]:
        sick = list(self.sick)
        del self.sick[:1]
        return sick


@pytest.fixture
def podman(monkeypatch: pytest.MonkeyPatch) -> FakePodman:
    monkeypatch.setattr(stack, "_POLL_SECONDS", 0)
    return FakePodman()


def new_stack(podman: FakePodman, directory: Path) -> stack.Stack:
    anything: Any = podman
    return stack.new_stack(anything, "check", directory)


def test_the_stack_is_the_compose_file_without_the_key_that_compose_1_refuses(
    podman: FakePodman, tmp_path: Path
) -> None:
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    made = new_stack(podman, tmp_path)
    assert whole.pop("name") != made.environment["COMPOSE_PROJECT_NAME"]
    assert yaml.safe_load(made.file.read_text("utf-8")) == whole


def test_the_stack_runs_when_every_container_is_well_and_is_removed(
    podman: FakePodman, tmp_path: Path
) -> None:
    with new_stack(podman, tmp_path).running():
        assert podman.sick == []
        assert podman.calls == ["up"]
    assert podman.calls == ["up", "down"]
    # Thirteen containers, one after the other.
    assert podman.seconds["down"] >= 13 * 20


@pytest.mark.parametrize("started", [set(), {"auth"}], ids=["nothing", "not all"])
def test_a_stack_of_which_not_all_runs_is_not_well(
    started: set[str], podman: FakePodman, tmp_path: Path
) -> None:
    podman.missing = podman.services("muster-check") - started
    podman.sick = []
    with (
        pytest.raises(CommandFailed, match=r"ended well, but there is no (auth, )?auth-db"),
        new_stack(podman, tmp_path).running(),
    ):
        pytest.fail("it runs")
    assert podman.calls == ["up", "version", "ps", "logs", "down"]


def test_a_stack_that_does_not_get_well_says_who_is_not(
    podman: FakePodman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "_UP_SECONDS", -1)
    with (
        pytest.raises(CommandFailed, match="auth-db, mongo"),
        new_stack(podman, tmp_path).running(),
    ):
        pytest.fail("it runs")
    assert podman.calls == ["up", "ps", "logs", "down"]


@pytest.fixture
def catcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(mailpit, "caught", [])
    with serving(mailpit.Page) as port:
        yield f"http://127.0.0.1:{port}"


def test_the_demo_finds_an_email_in_mailpit(catcher: str) -> None:
    for upload_id in ("one", "two"):
        email = EmailMessage()
        email["Message-ID"] = f"<{upload_id}.completed@muster>"
        email.set_content("Façade")
        mailpit.caught.append(email.as_bytes())
    found = wait_for_email(lambda: emails_in_mailpit(catcher), "two", seconds=60)
    assert found is not None
    assert found["Message-ID"] == "<two.completed@muster>"
    assert wait_for_email(lambda: emails_in_mailpit(catcher), "three", seconds=0.1) is None


def test_a_command_that_fails_says_what_it_said() -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3\nwhy\nthat is why"):
        run("sh", "-c", "echo why; echo that is why >&2; exit 3")


def test_what_a_command_warns_of_is_not_taken_for_its_output() -> None:
    command = ("sh", "-c", "echo output; echo warning >&2")
    assert run(*command) == "output"
    assert run(*command, with_errors=True) == "output\nwarning"


def test_containers_get_no_higher_limit_than_podman_has(tmp_path: Path) -> None:
    program = f"from pathlib import Path; Podman(Path({str(tmp_path)!r}))"
    program = f"from tools.images_check.engine import Podman; {program}"
    run("sh", "-c", 'ulimit -n 500; exec "$0" -c "$1"', sys.executable, program)
    containers = tomllib.loads((tmp_path / "containers.conf").read_text("utf-8"))["containers"]
    files, processes = containers["default_ulimits"]
    assert files == "nofile=500:500"
    most = int(Path("/proc/sys/kernel/pid_max").read_text("ascii"))
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    assert 0 < int(processes.rpartition(":")[2]) <= (most if hard < 0 else min(most, hard))


def test_a_command_that_hangs_fails() -> None:
    with pytest.raises(CommandFailed, match="did not end"):
        run("sleep", "60", timeout=0.1)
