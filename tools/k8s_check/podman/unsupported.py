"""What `podman kube play` makes nothing of, and what is done about it.

It passes over such fields without a word, so each field of a rendered overlay has to stand here:
https://github.com/containers/podman/blob/v5.4.2/docs/kubernetes_support.md
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tools.k8s_check.manifests import Json, Workload

_PROBED = "asked by this check"
_ONE = "there is one of each"
_NO_ACCOUNT = "there is no cluster to have an account of"
_NO_NEIGHBOURS = "nobody else wants the machine"


class CannotTranslate(Exception):
    """The overlay has something that this does not know how to run."""


@dataclass(frozen=True)
class Part:
    """A part of a manifest: the fields that are run, and those that are not, with the reason."""

    name: str
    run: frozenset[str]
    not_run: Mapping[str, str]


KINDS = Part(
    "",
    frozenset({"ConfigMap", "Deployment", "Secret", "Service", "StatefulSet"}),
    {
        "Ingress": "the gateway is asked itself",
        "Namespace": "one network takes its place; Pod Security is held by tests",
        "NetworkPolicy": "everybody reaches everybody; the edges are held by tests",
        "PodDisruptionBudget": "there is one node",
        "ServiceAccount": _NO_ACCOUNT,
        "StorageClass": "claims become volumes of podman",
    },
)
_WORKLOADS = {
    "Deployment": Part(
        "Deployment.", frozenset({"selector", "template"}), {"replicas": _ONE, "strategy": _ONE}
    ),
    "StatefulSet": Part(
        "StatefulSet.",
        frozenset({"selector", "serviceName", "template", "volumeClaimTemplates"}),
        {"podManagementPolicy": _ONE, "replicas": _ONE, "updateStrategy": _ONE},
    ),
}
_POD = Part(
    "pod.",
    frozenset(
        {
            *("containers", "initContainers", "restartPolicy", "securityContext"),
            *("terminationGracePeriodSeconds", "volumes"),
        }
    ),
    {
        "automountServiceAccountToken": _NO_ACCOUNT,
        "enableServiceLinks": "podman sets no such variables",
        "serviceAccountName": _NO_ACCOUNT,
        "topologySpreadConstraints": "there is one node",
    },
)
_CONTAINER = Part(
    "container.",
    frozenset(
        {
            *("args", "command", "env", "envFrom", "image", "imagePullPolicy", "name", "ports"),
            *("resources", "securityContext", "volumeMounts", "workingDir"),
        }
    ),
    {
        "lifecycle": "nothing keeps sending to a pod that stops",
        "livenessProbe": _PROBED,
        "readinessProbe": _PROBED,
        "startupProbe": _PROBED,
    },
)
_SECURITY = Part(
    "securityContext.",
    frozenset(
        {
            *("allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"),
            *("runAsGroup", "runAsUser"),
        }
    ),
    {
        "fsGroup": "volumes belong to the user instead, and secrets to the group",
        "fsGroupChangePolicy": "as fsGroup",
        "runAsNonRoot": "runAsUser says who",
        "seccompProfile": "podman's own default applies",
    },
)
_STILL_WRITABLE = (
    "readOnlyRootFilesystem at /run, /tmp and /var/tmp",
    "podman mounts memory there",
)
_REQUESTS = Part(
    "requests.",
    frozenset({"memory"}),
    {"cpu": _NO_NEIGHBOURS, "ephemeral-storage": _NO_NEIGHBOURS},
)
_LIMITS = Part(
    "limits.", frozenset({"cpu", "memory"}), {"ephemeral-storage": "podman does not count it"}
)


@dataclass
class LeftOut:
    """What was left out so far, and how often."""

    times: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)

    def holds(self, part: Part, name: str) -> bool:
        """Whether this field of a part is left out, which is counted; raises CannotTranslate."""
        if name in part.run:
            return False
        if name not in part.not_run:
            raise CannotTranslate(f"{part.name}{name}")
        self.count(f"{part.name}{name}", part.not_run[name])
        return True

    def count(self, what: str, reason: str) -> None:
        """Count one more thing that podman does not do."""
        self.times[what] += 1
        self.reasons[what] = reason

    def remove_from(self, workload: Workload) -> None:
        """Take out of a workload what podman makes nothing of; raises CannotTranslate."""
        self._remove(_WORKLOADS[workload.kind], workload.spec)
        self._remove(_POD, workload.pod)
        self._remove(_SECURITY, workload.pod.get("securityContext", {}))
        for container in workload.all_containers:
            self._remove(_CONTAINER, container)
            security = container.get("securityContext", {})
            self._remove(_SECURITY, security)
            if security.get("readOnlyRootFilesystem"):
                self.count(*_STILL_WRITABLE)
            resources = container.get("resources", {})
            self._remove(_REQUESTS, resources.get("requests", {}))
            self._remove(_LIMITS, resources.get("limits", {}))

    def rows(self) -> Iterator[Json]:
        """A row for each of them."""
        for what, times in self.times.items():
            yield {"not run by podman": what, "times": times, "because": self.reasons[what]}

    def _remove(self, part: Part, manifest: Json) -> None:
        for name in list(manifest):
            if self.holds(part, name):
                del manifest[name]
