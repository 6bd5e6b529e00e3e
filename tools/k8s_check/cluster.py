"""What the overlay runs on: the little that the check asks of it."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tools.k8s_check.manifests import Json, Workload


class Cluster(Protocol):
    """Runs the overlay. Every method raises CommandFailed when a command of its own fails."""

    title: str
    """What it is, for people."""

    def running(self) -> AbstractContextManager[None]:
        """It takes the overlay meanwhile; in the end all of the overlay is removed."""

    def start(self) -> None:
        """Start everything."""

    def wait_until_ready(self, workload: Workload) -> str:
        """Wait until the probes of the pod pass; says what is wrong, or ""."""

    def reached(self, workload: Workload, port: int) -> AbstractContextManager[str]:
        """The URL at which a port of the pod can be reached meanwhile."""

    def incarnations(self, workload: Workload) -> frozenset[str]:
        """Tell the workload's pods that run, or are to, from those before and after them."""

    def kill(self, workload: Workload) -> None:
        """Kill the workload's pods at once, by force. Nobody is told to bring them back."""

    def restarts(self, workload: Workload) -> int:
        """How often containers of its pods were started again, those before others included."""

    def log_of(self, workload: Workload) -> str:
        """The last lines of what the pod said."""

    def left_out(self) -> Iterator[Json] | Sequence[Json]:
        """A row for each kind or field of the overlay that is not run here."""
