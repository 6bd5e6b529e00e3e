"""The overlay where it runs, and what is asked of it again and again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from deploy.k8s_check.cluster import Cluster
from deploy.k8s_check.environment import environment_of
from deploy.k8s_check.manifests import Manifests, Workload
from embedded.client import Client
from embedded.demo.checks import Checks

_COMPONENT = "app.kubernetes.io/component"
_ASK_SECONDS = 15.0


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
        """What runs for ever, of these components or of all."""
        return [
            each
            for each in self.manifests.workloads()
            if each.serves and (not components or each.labels[_COMPONENT] in components)
        ]

    def jobs(self) -> list[Workload]:
        """What runs once."""
        return [each for each in self.manifests.workloads() if not each.serves]

    def users_of_a_schema(self) -> list[Workload]:
        """The servers that Jobs make tables for."""
        return [
            server
            for server in self.servers()
            for name in environment_of(self.manifests, server.containers[0])
            if name.endswith("_DATABASE_URL")
        ]

    def must(self, what: str, workload: Workload, wrong: str) -> None:
        """Count a comparison; when something is wrong, show the pod's log and raise PodFailed."""
        self.checks.equal(what, wrong, "")
        if wrong:
            print(self.cluster.log_of(workload))
            raise PodFailed(str(workload))
        self.started.add(workload.name)

    def status_of(self, workload: Workload, path: str) -> int:
        """What a pod answers, whether or not it is ready."""
        with self.reached(workload) as url, requests.Session() as session:
            # The machine's proxy, if it names one, is not for calls to itself.
            session.trust_env = False
            return session.get(f"{url}{path}", timeout=_ASK_SECONDS).status_code

    @contextmanager
    def reached(self, workload: Workload) -> Iterator[str]:
        """The URL of the pod's port `http` meanwhile."""
        (port,) = (
            each["containerPort"]
            for each in workload.containers[0]["ports"]
            if each["name"] == "http"
        )
        with self.cluster.reached(workload, port) as url:
            yield url

    @contextmanager
    def administrator(self) -> Iterator[Client]:
        """The first administrator, logged in through the gateway."""
        (gateway,) = (each for each in self.servers("http") if each.name == "gateway")
        (job,) = (each for each in self.jobs() if each.name == "auth-admin")
        named = environment_of(self.manifests, job.containers[0])
        email, password = named["MUSTER_ADMIN_EMAIL"], named["MUSTER_ADMIN_PASSWORD"]
        with self.reached(gateway) as url, Client(url, email, password) as client:
            yield client
