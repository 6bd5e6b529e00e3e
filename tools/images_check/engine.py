"""Podman with storage, settings and an API of its own: the check leaves the machine alone."""

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from tools.images_check.commands import CommandFailed, run

_SETTINGS = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[network]
network_config_dir = "{directory}/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{directory}/overlay"
runroot = "{directory}/run"
"""
# What the builds need to get through to the package index from this machine, where it has it.
_LENT = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/uv/uv.toml")
# What containers need at most.
_FILES, _PROCESSES = 20_000, 90_000
_START_SECONDS = 30.0
_PULSE_SECONDS = 2.0


class Podman:
    """Commands of podman, and of docker-compose by podman's API, with `directory` for all data."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings, storage = directory / "containers.conf", directory / "storage.conf"
        settings.write_text(
            _SETTINGS.format(directory=directory, files=_max_files(), processes=_max_processes())
        )
        storage.write_text(_STORAGE.format(directory=directory))
        self._socket, self._log = directory / "podman.sock", directory / "podman.log"
        self._environment = {
            **os.environ,
            "CONTAINERS_CONF": str(settings),
            "CONTAINERS_STORAGE_CONF": str(storage),
            "DOCKER_HOST": f"unix://{self._socket}",
            # For Compose 1: podman answers only when it has removed all files of a container.
            "COMPOSE_HTTP_TIMEOUT": "300",
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
            # The builds keep the downloads of their cache mounts there.
            "TMPDIR": str(directory),
        }

    def __call__(self, *arguments: str, timeout: float = 1800, with_errors: bool = False) -> str:
        """What `podman ARGUMENTS` printed, `with_errors` on either output; raises CommandFailed."""
        return run(
            *("podman", *arguments),
            environment=self._environment,
            timeout=timeout,
            with_errors=with_errors,
        )

    def has(self, image: str) -> bool:
        """Whether the image is here."""
        with suppress(CommandFailed):
            self("image", "exists", image)
            return True
        return False

    def label(self, image: str, name: str) -> str | None:
        """The image's label, or None if there is no such image or label."""
        if not self.has(image):
            return None
        labels = json.loads(self("image", "inspect", "--format={{json .Labels}}", image)) or {}
        return str(labels[name]) if name in labels else None

    def build(
        self, image: str, dockerfile: Path, context: Path, labels: Mapping[str, str] | None = None
    ) -> None:
        """Build an image with the machine's network."""
        labelled = [f"--label={name}={value}" for name, value in (labels or {}).items()]
        lent = [f"--volume={path}:{path}:ro" for path in _LENT if Path(path).is_file()]
        self(
            *("build", "--quiet", "--format=docker", "--network=host", *lent),
            *(*labelled, f"--tag={image}", f"--file={dockerfile}", str(context)),
        )

    def compose(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        timeout: float = 600,
        user_sees: bool = False,
    ) -> str:
        """What `docker-compose ARGUMENTS` printed; raises CommandFailed."""
        return run(
            "docker-compose",
            *arguments,
            environment={**self._environment, **environment},
            timeout=timeout,
            user_sees=user_sees,
        )

    def services(self, project: str) -> set[str]:
        """The services of a project of Compose whose containers run."""
        label = "com.docker.compose"
        listed = self(
            *("ps", f"--filter=label={label}.project={project}"),
            f'--format={{{{index .Labels "{label}.service"}}}}',
        )
        return set(listed.split())

    def unwell(self) -> list[str]:
        """The names of the running containers whose health check has not passed."""
        filters = ("health=starting", "health=unhealthy")
        listed = (self("ps", f"--filter={each}", "--format={{.Names}}") for each in filters)
        return [name for names in listed for name in names.split()]

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve the API meanwhile, and run the health checks, for which podman needs systemd."""
        self._socket.unlink(missing_ok=True)
        # It complains of systemd's absence at every health check that it removes.
        with self._log.open("w") as log:
            service = subprocess.Popen(
                ["podman", "system", "service", "--time=0", f"unix://{self._socket}"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        stop = Event()
        pulse = Thread(target=self._run_health_checks, args=(stop,), name="health checks")
        try:
            self._wait_for_socket(service)
            pulse.start()
            yield
        finally:
            stop.set()
            if pulse.ident is not None:
                pulse.join()
            service.terminate()
            service.wait()

    def _wait_for_socket(self, service: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._socket.exists():
            if service.poll() is not None or time.monotonic() > deadline:
                raise CommandFailed(f"podman system service does not start: see {self._log}")
            time.sleep(0.1)

    def _run_health_checks(self, stop: Event) -> None:
        while not stop.wait(_PULSE_SECONDS):
            # Only until it is well once: nothing is asked about it later.
            with suppress(CommandFailed):
                for name in self.unwell():
                    self._check_health(name)

    def _check_health(self, name: str) -> None:
        # One that is not well yet ends with a status, and is asked again.
        with suppress(CommandFailed):
            self("healthcheck", "run", name, timeout=30)


def _max_files() -> int:
    return _lowest(_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _max_processes() -> int:
    # Old releases of podman lower their own limit to this, and it takes CAP_SYS_RESOURCE to raise
    # it again: github.com/containers/common/pull/2199
    pid_max = int(Path("/proc/sys/kernel/pid_max").read_text("ascii"))
    return _lowest(_PROCESSES, resource.getrlimit(resource.RLIMIT_NPROC)[1], pid_max)


def _lowest(*limits: int) -> int:
    return min(limit for limit in limits if limit != resource.RLIM_INFINITY)
