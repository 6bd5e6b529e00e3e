"""The overlay on a cluster, by kubectl."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.images_check.commands import CommandFailed, run
from tools.k8s_check.kustomize import KUBECTL
from tools.k8s_check.manifests import Json, Manifests, Workload, name_of

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
        self.overlay = overlay
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
            if self.kubectl("get", what, "--ignore-not-found", "--output=name"):
                raise CommandFailed(f"{what} is in the cluster already: this would remove it")
        try:
            yield
        finally:
            timeout = f"--timeout={_DELETE_SECONDS}s"
            self.kubectl("delete", "--kustomize", str(self.overlay), "--ignore-not-found", timeout)

    def start(self) -> None:
        """Apply the overlay."""
        self.apply()

    def wait_until_ready(self, workload: Workload) -> str:
        """Wait for the rollout, and until no pod of it is unready."""
        try:
            timeout = f"--timeout={self._ready_seconds:.0f}s"
            self.kubectl("rollout", "status", self._called(workload), timeout, self._namespace)
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
        return frozenset(pod["metadata"]["uid"] for pod in self.pods(workload))

    def kill(self, workload: Workload) -> None:
        """Delete its pods by force, which kills what runs in them; the controller makes others."""
        force = ("--grace-period=0", "--force", "--wait=false")
        self.kubectl("delete", "pods", self._selector(workload), *force, self._namespace)

    def restarts(self, workload: Workload) -> int:
        """As the kubelet counts them."""
        return sum(
            status.get("restartCount", 0)
            for pod in self.pods(workload)
            for kind in ("initContainerStatuses", "containerStatuses")
            for status in pod.get("status", {}).get(kind, [])
        )

    def log_of(self, workload: Workload) -> str:
        """The last lines of its pods."""
        selector = self._selector(workload)
        # While one waits for its migrations, the container after them has no log yet.
        what = ("--all-containers", "--ignore-errors", "--tail=10")
        return self.kubectl("logs", selector, *what, self._namespace)

    def apply(self) -> None:
        """Apply the overlay as it is now."""
        self.kubectl("apply", "--kustomize", str(self.overlay))

    def scale(self, workload: Workload, replicas: int) -> None:
        """Have so many pods of it; waits until those that leave are gone."""
        self.kubectl("scale", self._called(workload), f"--replicas={replicas}", self._namespace)
        if replicas == 0:
            timeout = f"--timeout={_DELETE_SECONDS}s"
            pods = self._selector(workload)
            self.kubectl("wait", "--for=delete", "pod", pods, timeout, self._namespace)

    def pods(self, workload: Workload | None = None) -> list[Json]:
        """The pods of a workload, or of all, that are to stay."""
        selector = [] if workload is None else [self._selector(workload)]
        said = self.kubectl("get", "pods", *selector, "--output=json", self._namespace)
        pods = json.loads(said)["items"]
        return [each for each in pods if "deletionTimestamp" not in each["metadata"]]

    def schedulable_nodes(self) -> list[str]:
        """The names of the nodes that are ready and take pods."""
        nodes = json.loads(self.kubectl("get", "nodes", "--output=json"))["items"]
        return [
            name_of(node)
            for node in nodes
            if not node["spec"].get("unschedulable")
            and not any(
                each["effect"] != "PreferNoSchedule" for each in node["spec"].get("taints", [])
            )
        ]

    def execute(self, pod: str, *argv: str) -> str:
        """What a command printed in a pod; raises CommandFailed."""
        return self.kubectl("exec", pod, self._namespace, "--", *argv)

    def left_out(self) -> Sequence[Json]:
        """Nothing."""
        return []

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """What a command of kubectl printed that has `text` to read; raises CommandFailed."""
        return run(self._kubectl, *arguments, environment=self._environment, text=text)

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """A command of kubectl that runs, with pipes to it."""
        return subprocess.Popen(
            [self._kubectl, *arguments],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

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
            for pod in self.pods(workload)
            for status in pod.get("status", {}).get("containerStatuses", [{"ready": False}])
        ]

    def _described(self, workload: Workload) -> str:
        return self.kubectl(
            "get", "pods", self._selector(workload), "--output=wide", self._namespace
        )

    def _selector(self, workload: Workload) -> str:
        wanted = workload.spec.get("selector", {}).get("matchLabels", workload.labels)
        return "--selector=" + ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))

    def _called(self, workload: Workload) -> str:
        return f"{workload.kind.lower()}/{workload.name}"
