"""The overlay on a cluster, by kubectl."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.images_check.commands import CommandFailed, run
from deploy.k8s_check.manifests import Json, Manifests, Workload, name_of
from deploy.k8s_check.rendering import KUBECTL

# Not in a namespace, so that it would be changed, and in the end removed, under somebody else.
_SHARED_KINDS = ("Namespace", "StorageClass")
_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
_READY_SECONDS = 600
_DELETE_SECONDS = 300
_POLL_SECONDS = 1.0


class KubectlCluster:
    """The cluster of `environment`'s KUBECONFIG, and an overlay that is not in it yet.

    The nodes have to have the images under the names that the overlay gives them.
    """

    title = "kubectl"

    def __init__(
        self,
        overlay: Path,
        manifests: Manifests,
        environment: Mapping[str, str],
        kubectl: str = str(KUBECTL),
        ready_seconds: float = _READY_SECONDS,
    ) -> None:
        self._overlay = str(overlay)
        self._manifests = manifests
        self._environment = environment
        self._kubectl = kubectl
        self._ready_seconds = ready_seconds
        (namespace,) = manifests.of("Namespace")
        self._namespace = f"--namespace={name_of(namespace)}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Refuse a cluster that has the overlay; in the end delete it, with its data."""
        for each in self._manifests.of(*_SHARED_KINDS):
            what = f"{each['kind'].lower()}/{name_of(each)}"
            if self._run("get", what, "--ignore-not-found", "--output=name"):
                raise CommandFailed(f"{what} is in the cluster already: this would remove it")
        try:
            yield
        finally:
            timeout = f"--timeout={_DELETE_SECONDS}s"
            self._run("delete", "--kustomize", self._overlay, "--ignore-not-found", timeout)

    def start(self) -> None:
        """Apply the overlay."""
        self._run("apply", "--kustomize", self._overlay)

    def wait_until_ready(self, workload: Workload) -> str:
        """Wait for the rollout, and until no pod of it is unready."""
        try:
            timeout = f"--timeout={self._ready_seconds:.0f}s"
            self._run("rollout", "status", self._called(workload), timeout, self._namespace)
        except CommandFailed as failure:
            return f"{failure}\n{self._described(workload)}"

        def ready() -> bool:
            statuses = self._statuses(workload)
            return bool(statuses) and all(each["ready"] for each in statuses)

        return self._waited(workload, ready)

    @contextmanager
    def reached(self, workload: Workload, port: int) -> Iterator[str]:
        """By `kubectl port-forward`, at a free port of this machine."""
        argv = ("port-forward", self._called(workload), f":{port}", "--address=127.0.0.1")
        process = subprocess.Popen(
            [self._kubectl, *argv, self._namespace],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
            said = process.stdout.readline()
            forwarded = _FORWARDED.match(said)
            if not forwarded:
                raise CommandFailed(f"kubectl {' '.join(argv)}: {said}{process.stdout.read()}")
            yield f"http://127.0.0.1:{forwarded[1]}"
        finally:
            process.terminate()
            process.communicate()

    def incarnations(self, workload: Workload) -> frozenset[str]:
        """The uids of its pods."""
        return frozenset(pod["metadata"]["uid"] for pod in self._pods(workload))

    def kill(self, workload: Workload) -> None:
        """Delete its pods by force, which kills what runs in them; the controller makes others."""
        force = ("--grace-period=0", "--force", "--wait=false")
        self._run("delete", "pods", self._selector(workload), *force, self._namespace)

    def log_of(self, workload: Workload) -> str:
        """The last lines of its pods."""
        selector = self._selector(workload)
        # While one waits for its migrations, the container after them has no log yet.
        what = ("--all-containers", "--ignore-errors", "--tail=10")
        return self._run("logs", selector, *what, self._namespace)

    def left_out(self) -> Sequence[Json]:
        """Nothing."""
        return []

    def _waited(self, workload: Workload, condition: Callable[[], bool]) -> str:
        deadline = time.monotonic() + self._ready_seconds
        while not condition():
            if time.monotonic() > deadline:
                return f"not within {self._ready_seconds:.0f} s\n{self._described(workload)}"
            time.sleep(_POLL_SECONDS)
        return ""

    def _statuses(self, workload: Workload) -> list[Json]:
        """The containers of the pods that are to stay."""
        return [
            status
            for pod in self._pods(workload)
            for status in pod.get("status", {}).get("containerStatuses", [{"ready": False}])
        ]

    def _pods(self, workload: Workload) -> list[Json]:
        """The pods that are to stay."""
        said = self._run("get", "pods", self._selector(workload), "--output=json", self._namespace)
        return [
            pod for pod in json.loads(said)["items"] if "deletionTimestamp" not in pod["metadata"]
        ]

    def _described(self, workload: Workload) -> str:
        return self._run("get", "pods", self._selector(workload), "--output=wide", self._namespace)

    def _selector(self, workload: Workload) -> str:
        wanted = workload.spec.get("selector", {}).get("matchLabels", workload.labels)
        return "--selector=" + ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))

    def _called(self, workload: Workload) -> str:
        return f"{workload.kind.lower()}/{workload.name}"

    def _run(self, *arguments: str) -> str:
        return run(self._kubectl, *arguments, environment=self._environment)
