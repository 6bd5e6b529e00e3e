"""A pod outside of the suite's namespace: what comes through the gateway comes from there."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

from tools.images_check.commands import CommandFailed
from tools.k8s_check.edges import container_port
from tools.k8s_check.kubectl import KubectlCluster
from tools.k8s_check.manifests import Json, Manifests, name_of
from tools.k8s_check.traffic import READY, Orders

NAMESPACE = "muster-check"
POD = "outside"
_LABELS = {"app.kubernetes.io/name": POD}
_PROGRAM = Path(__file__).with_name("traffic.py")
_READY_SECONDS = 120
_STOP_SECONDS = 900.0


@dataclass(frozen=True)
class Report:
    """What the clients of the traffic saw."""

    requests: Mapping[str, Mapping[str, Mapping[str, int]]]
    """How many requests ended how, by phase and kind."""
    slowest: Mapping[str, float]
    failures: list[str]
    uploads: list[dict[str, str]]
    lost: list[str]
    doubled: list[str]

    def failed(self, phase: str, *kinds: str) -> dict[str, int]:
        """The requests of these kinds that were not answered by what was asked for, by outcome."""
        found: dict[str, int] = {}
        for kind, outcomes in self.requests.get(phase, {}).items():
            for outcome, count in outcomes.items():
                if kind in kinds and not outcome.startswith("2"):
                    found[outcome] = found.get(outcome, 0) + count
        return found

    def rows(self) -> list[Json]:
        """A row for each phase and kind, to be shown."""
        return [
            {
                "phase": phase,
                "requests": kind,
                "answered": sum(n for each, n in outcomes.items() if each.startswith("2")),
                "failed": ", ".join(
                    f"{n} {each}"
                    for each, n in sorted(outcomes.items())
                    if not each.startswith("2")
                ),
            }
            for phase, kinds in self.requests.items()
            for kind, outcomes in sorted(kinds.items())
        ]


class Traffic:
    """Clients that run in the pod until they are told to stop."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until they run; raises CommandFailed if they do not."""
        self._process = process
        if process.stdout is None or process.stdout.readline().strip() != READY:
            _, errors = process.communicate()
            raise CommandFailed(f"the traffic does not begin\n{errors}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def phase(self, name: str) -> None:
        """Requests from here on are counted under this name."""
        stdin = self._stdin()
        stdin.write(f"{name}\n")
        stdin.flush()

    def stop(self) -> Report:
        """End it, and wait for what was accepted; raises CommandFailed if that says nothing."""
        self.phase("stop")
        try:
            said, errors = self._process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"the traffic does not end in {_STOP_SECONDS:.0f} s") from error
        if self._process.returncode != 0:
            raise CommandFailed(f"the traffic ended with {self._process.returncode}\n{errors}")
        return Report(**json.loads(said))

    def _stdin(self) -> IO[str]:
        if self._process.stdin is None or self._process.poll() is not None:
            raise CommandFailed(f"the traffic ended with {self._process.poll()}")
        return self._process.stdin


class Outside:
    """The pod, and what is done in it."""

    def __init__(self, cluster: KubectlCluster) -> None:
        self._cluster = cluster

    def run(self, *argv: str) -> str:
        """What a command printed in the pod; raises CommandFailed."""
        return self._cluster.kubectl("exec", *self._pod(), "--", *argv)

    def node(self) -> str:
        """The node on which it is."""
        return self._cluster.kubectl(
            "get", "pod", *self._pod(), "--output=jsonpath={.spec.nodeName}"
        )

    def traffic(self, orders: Orders) -> Traffic:
        """Begin it."""
        program = _PROGRAM.read_text("utf-8")
        return Traffic(
            self._cluster.process(
                *("exec", "--stdin", *self._pod(), "--", "python3", "-c", program),
                json.dumps(asdict(orders)),
            )
        )

    @staticmethod
    def _pod() -> tuple[str, str]:
        return POD, f"--namespace={NAMESPACE}"


@contextmanager
def outside(cluster: KubectlCluster, manifests: Manifests) -> Iterator[Outside]:
    """The pod in a namespace of its own, which the gateway lets in as an ingress controller."""
    cluster.kubectl("apply", "--filename=-", text=json.dumps(_objects(manifests)))
    try:
        ready = f"--timeout={_READY_SECONDS}s"
        cluster.kubectl(
            "wait", "--for=condition=Ready", f"pod/{POD}", f"--namespace={NAMESPACE}", ready
        )
        yield Outside(cluster)
    finally:
        # The policy in the suite's namespace goes with that.
        cluster.kubectl(
            "delete", "pod", POD, f"--namespace={NAMESPACE}", "--grace-period=0", "--force"
        )
        cluster.kubectl("delete", "namespace", NAMESPACE)


def _objects(manifests: Manifests) -> Json:
    (namespace,) = manifests.of("Namespace")
    (gateway,) = (each for each in manifests.workloads() if each.name == "gateway")
    policy = {
        "podSelector": {"matchLabels": gateway.spec["selector"]["matchLabels"]},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {
                        "namespaceSelector": {
                            "matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}
                        },
                        "podSelector": {"matchLabels": _LABELS},
                    }
                ],
                "ports": [{"port": container_port(gateway, "http"), "protocol": "TCP"}],
            }
        ],
    }
    container = {
        "name": POD,
        "image": gateway.containers[0]["image"],
        "imagePullPolicy": gateway.containers[0].get("imagePullPolicy", "IfNotPresent"),
        "command": ["sleep", "infinity"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": gateway.pod["securityContext"],
        "containers": [container],
    }
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": "gateway-from-check", "namespace": name_of(namespace)},
                "spec": policy,
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": POD, "namespace": NAMESPACE, "labels": _LABELS},
                "spec": pod,
            },
        ],
    }
