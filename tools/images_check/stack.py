"""The stack of docker-compose.yml, up with the images under test, and what must be true of it."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from embedded.demo.checks import Checks
from embedded.ports import port_of, reserve
from tools.images_check.commands import ROOT, CommandFailed, run
from tools.images_check.engine import Podman

_UP_SECONDS = 900.0
# Compose 1 stops a container after the other, each for up to 20 s.
_DOWN_SECONDS = 900.0
_POLL_SECONDS = 1.0
# As root, so that it is the file system that refuses and not the file's owner.
_WRITE = """\
import errno
for path in "/probe", "/app/probe", "/usr/local/probe":
    try:
        open(path, "w")
    except OSError as error:
        if error.errno == errno.EROFS:
            continue
    raise SystemExit(path + " can be written")
open("/tmp/probe", "w")
"""


@dataclass(frozen=True)
class Stack:
    """A compose file as a project of its own; `environment` goes before `env_file`.

    Compose 1, which Debian 12 has, takes what is asked of docker-compose here, as Compose 2 does.
    `services` are those that stay.
    """

    podman: Podman
    file: Path
    env_file: Path
    environment: Mapping[str, str]
    services: frozenset[str]

    def compose(self, *arguments: str, user_sees: bool = False, timeout: float = 120) -> str:
        """What the command of docker-compose printed; raises CommandFailed."""
        return self.podman.compose(
            *(f"--file={self.file}", f"--project-directory={ROOT}"),
            *(f"--env-file={self.env_file}", *arguments),
            environment=self.environment,
            user_sees=user_sees,
            timeout=timeout,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """All of it, well; removed in the end with its data. Raises CommandFailed with the logs."""
        try:
            self.compose("up", "--detach", "--no-build", timeout=_UP_SECONDS)
            self._must_run()
            self._wait_until_well()
            yield
        except CommandFailed:
            self.compose("ps", "--all", user_sees=True)
            self.compose("logs", "--no-color", "--tail=40", user_sees=True)
            raise
        finally:
            self.compose("down", "--volumes", "--timeout=20", timeout=_DOWN_SECONDS)

    def _must_run(self) -> None:
        # Where nothing runs, nothing is unwell.
        missing = self.services - self.podman.services(self.environment["COMPOSE_PROJECT_NAME"])
        if missing:
            version = self.podman.compose("version", "--short", environment={})
            names = ", ".join(sorted(missing))
            raise CommandFailed(f"docker-compose {version} ended well, but there is no {names}")

    def _wait_until_well(self) -> None:
        deadline = time.monotonic() + _UP_SECONDS
        while unwell := self.podman.unwell():
            if time.monotonic() > deadline:
                raise CommandFailed(f"not well after {_UP_SECONDS:.0f} s: {', '.join(unwell)}")
            time.sleep(_POLL_SECONDS)

    def check_containers(self, checks: Checks) -> None:
        """Check that no process of ours can write anywhere but in /tmp."""
        listed = self.podman("ps", "--format={{.Names}} {{.Image}}").splitlines()
        ours = sorted(line.split()[0] for line in listed if "/muster/" in line)
        checks.equal("the processes of the suite that run", len(ours), 9)
        for name in ours:
            try:
                said = self.podman("exec", "--user=0", name, "python", "-c", _WRITE)
            except CommandFailed as failure:
                said = str(failure)
            checks.equal(f"the root file system of {name} is read-only", said, "")

    def do_the_demo(self, checks: Checks) -> None:
        """Check what the demo checks, through the published ports."""
        urls = {
            "--url": f"http://127.0.0.1:{self.environment['MUSTER_PORT']}",
            "--mailpit": f"http://127.0.0.1:{self.environment['MAILPIT_PORT']}",
        }
        argv = [word for pair in urls.items() for word in pair]
        try:
            run(
                *(sys.executable, "-m", "embedded.demo", *argv, "samples"),
                environment={**os.environ, **self.environment},
                timeout=300,
                user_sees=True,
            )
        except CommandFailed as failure:
            checks.equal("the demo", str(failure), "")


def new_stack(podman: Podman, tag: str, directory: Path) -> Stack:
    """docker-compose.yml on free ports, with secrets as `make env` makes them, in `directory`."""
    file, env = directory / "docker-compose.yml", directory / "env"
    # Compose 1 refuses the key `name`, before which COMPOSE_PROJECT_NAME goes anyway.
    lines = (ROOT / "docker-compose.yml").read_text("utf-8").splitlines(keepends=True)
    content = "".join(line for line in lines if not line.startswith("name:"))
    file.write_text(content, "utf-8")
    services = yaml.safe_load(content)["services"]
    staying = frozenset(name for name, each in services.items() if each.get("restart") != "no")
    run(sys.executable, "deploy/make_env.py", str(env))
    values = dict(
        line.split("=", 1) for line in env.read_text("utf-8").splitlines() if "=" in line[1:]
    )
    ports = [reserve(), reserve()]
    muster, mailpit = (str(port_of(each)) for each in ports)
    for each in ports:
        each.close()
    environment = {
        "COMPOSE_PROJECT_NAME": "muster-check",
        "MUSTER_ADMIN_PASSWORD": values["MUSTER_ADMIN_PASSWORD"],
        "MUSTER_PORT": muster,
        "MAILPIT_PORT": mailpit,
        "MUSTER_TAG": tag,
        "MUSTER_PUBLIC_URL": f"http://127.0.0.1:{muster}",
    }
    return Stack(podman, file, env, environment, staying)
