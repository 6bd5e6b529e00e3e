"""The overlay on this machine, by `podman kube play`."""

import json
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tools.images_check import images
from tools.images_check.commands import CommandFailed
from tools.images_check.engine import Podman
from tools.images_check.workshop import TAG, sweep
from tools.k8s_check.manifests import Json, Manifests, Workload
from tools.k8s_check.podman.translation import Play, translate
from tools.k8s_check.probes import Container, Execute

_NETWORK = "muster"
_RESTART_SECONDS = 60.0
_POLL_SECONDS = 0.5


def image_of(name: str) -> str:
    """The name by which podman knows an image of the overlay: ours as they were built."""
    repository = name.partition(":")[0]
    for service in images.SERVICES:
        if images.name_of(service).endswith(f"/{repository}"):
            return f"{images.name_of(service)}:{TAG}"
    return f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"


class PodmanCluster:
    """A network of podman's, in which each pod is called by the names of its Services.

    Podman starts again what ends, as a kubelet does; the probes are asked by this. `directory` is
    for the files to be played.
    """

    title = "podman kube play"

    def __init__(self, podman: Podman, manifests: Manifests, directory: Path) -> None:
        self._podman = podman
        self._directory = directory
        self._translation = translate(manifests, image_of, directory)

    @contextmanager
    def running(self) -> Iterator[None]:
        """With a network and the secrets; in the end all pods and volumes are removed."""
        try:
            if _NETWORK not in self._podman("network", "ls", "--format={{.Name}}").split():
                self._podman("network", "create", _NETWORK)
            self._play("secrets", self._translation.secrets)
            yield
        finally:
            sweep(self._podman)

    def start(self) -> None:
        """Play the backends, and then what has use for them, whose migrations it waits for."""
        plays = self._translation.plays.values()
        for play in sorted(plays, key=lambda each: each.workload.kind != "StatefulSet"):
            self._start(play)

    def wait_until_ready(self, workload: Workload) -> str:
        """Ask the probes of the containers, each until it passes."""
        return self._ask(workload, "startupProbe", "readinessProbe", "livenessProbe")

    @contextmanager
    def reached(self, workload: Workload, port: int) -> Iterator[str]:
        """At the pod's own address: this machine is in its network."""
        container = next(iter(self._translation.plays[workload.name].containers.values()))
        yield f"http://{self._address(container)}:{port}"

    def incarnations(self, workload: Workload) -> frozenset[str]:
        """The one pod, by when its containers were started last; none while one does not run."""
        play = self._translation.plays[workload.name]
        states = [self._state(container) for container in play.containers.values()]
        running = all(state["Status"] == "running" for state in states)
        return frozenset({" ".join(state["StartedAt"] for state in states)} if running else ())

    def kill(self, workload: Workload) -> None:
        """SIGKILL to the first process of its containers, past podman, which would keep it dead."""
        for container in self._translation.plays[workload.name].containers.values():
            state = self._state(container)
            if state["Status"] != "running":
                raise CommandFailed(f"{container} is {state['Status']}, and cannot be killed")
            os.kill(state["Pid"], signal.SIGKILL)

    def restarts(self, workload: Workload) -> int:
        """As podman counts them."""
        names = self._translation.plays[workload.name].containers.values()
        return sum(json.loads(self._podman("inspect", name))[0]["RestartCount"] for name in names)

    def log_of(self, workload: Workload) -> str:
        """The last lines of its containers."""
        play = self._translation.plays[workload.name]
        return "\n".join(
            self._podman("logs", "--tail=10", container, with_errors=True)
            for container in play.containers.values()
        )

    def left_out(self) -> Iterator[Json]:
        """What podman has no use for."""
        return self._translation.left_out.rows()

    def _start(self, play: Play) -> None:
        aliases = ",".join(f"alias={name}" for name in play.services)
        network = f"{_NETWORK}:{aliases}" if aliases else _NETWORK
        self._play(play.workload.name, play.objects, f"--network={network}")

    def _play(self, name: str, objects: Iterable[Json], *options: str) -> None:
        file = self._directory / f"{name}.yaml"
        file.touch(0o600)
        file.write_text(yaml.safe_dump_all(objects), "utf-8")
        self._podman("kube", "play", "--quiet", *options, str(file))

    def _ask(self, workload: Workload, *probes: str) -> str:
        names = self._translation.plays[workload.name].containers
        for manifest in workload.containers:
            name = names[manifest["name"]]
            container = Container(manifest, self._address(name), self._executing(name))
            for probe in probes:
                if wrong := container.wait_until_it_passes(probe):
                    return wrong
        return ""

    def _address(self, container: str) -> str:
        networks = json.loads(self._podman("inspect", container))[0]["NetworkSettings"]["Networks"]
        return str(networks[_NETWORK]["IPAddress"])

    def _state(self, container: str) -> Json:
        state: Json = json.loads(self._podman("inspect", container))[0]["State"]
        return state

    def _executing(self, container: str) -> Execute:
        def execute(command: list[str], timeout: float) -> str:
            try:
                self._podman("exec", container, *command, timeout=timeout)
            except CommandFailed as failure:
                return str(failure)
            return ""

        return execute
