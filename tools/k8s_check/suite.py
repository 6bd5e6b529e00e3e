"""The overlay where it runs, and what is asked of it again and again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from embedded.client import Client
from embedded.demo.checks import Checks
from tools.k8s_check.cluster import Cluster
from tools.k8s_check.edges import container_port
from tools.k8s_check.environment import environment_of
from tools.k8s_check.manifests import Manifests, Workload

_COMPONENT = "app.kubernetes.io/component"


class PodFailed(Exception):
    """A pod is not what it must be, so that there is no use in going on."""


@dataclass(frozen=True)
class Suite:
    """An overlay on a cluster, and the comparisons made there.

    `started` and `returned` name whose pods were seen well, and well again after they were killed.
    """

    cluster: Cluster
    manifests: Manifests
    checks: Checks
    started: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)

    def servers(self, *components: str) -> list[Workload]:
        """What makes pods, of these components or of all."""
        return [
            each
            for each in self.manifests.workloads()
            if not components or each.labels[_COMPONENT] in components
        ]

    def must(self, what: str, workload: Workload, wrong: str) -> None:
        """Count a comparison; when something is wrong, show the pod's log and raise PodFailed."""
        self.checks.equal(what, wrong, "")
        if wrong:
            print(self.cluster.log_of(workload))
            raise PodFailed(str(workload))
        self.started.add(workload.name)

    @contextmanager
    def reached(self, workload: Workload) -> Iterator[str]:
        """The URL of the pod's port `http` meanwhile."""
        with self.cluster.reached(workload, container_port(workload, "http")) as url:
            yield url

    @contextmanager
    def administrator(self) -> Iterator[Client]:
        """The first administrator, logged in through the gateway."""
        (gateway,) = (each for each in self.servers("http") if each.name == "gateway")
        with self.reached(gateway) as url, Client(url, *self.credentials()) as client:
            yield client

    def credentials(self) -> tuple[str, str]:
        """The email address and password of the first administrator."""
        environments = (
            environment_of(self.manifests, container)
            for _, container in self.manifests.containers()
        )
        named = next(each for each in environments if "MUSTER_ADMIN_PASSWORD" in each)
        return named["MUSTER_ADMIN_EMAIL"], named["MUSTER_ADMIN_PASSWORD"]
