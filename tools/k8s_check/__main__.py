"""`python -m tools.k8s_check`: on the cluster of KUBECONFIG, on kind's, or else by podman."""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded.demo.checks import Checks, heading, table
from tools.images_check import bases, images
from tools.images_check.commands import CommandFailed
from tools.images_check.engine import Podman
from tools.images_check.workshop import DATA, TAG, install, sweep
from tools.k8s_check import kind, steps
from tools.k8s_check.cluster import Cluster
from tools.k8s_check.kubectl import KubectlCluster
from tools.k8s_check.overlay import start
from tools.k8s_check.podman.cluster import PodmanCluster
from tools.k8s_check.podman.unsupported import CannotTranslate
from tools.k8s_check.suite import PodFailed, Suite
from tools.k8s_check.tree import Tree

_OVERLAY = "dev"
_PODMAN = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Do all of it; returns 0 when everything was as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tools.k8s_check", description=__doc__)
    names = ", ".join(steps.NAMES)
    parser.add_argument("--only", type=_names, default=(), help=f"some of {names}, by comma")
    only = parser.parse_args(argv).only
    # As Ctrl-C does: what runs is stopped and removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    checks = Checks()
    try:
        with tempfile.TemporaryDirectory(prefix="muster-k8s-") as directory:
            _check(Path(directory), checks, only)
    except (CannotTranslate, CommandFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 1 if checks.wrong else 0


def _names(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(",")))
    if unknown := set(names).difference(steps.NAMES):
        known = ", ".join(steps.NAMES)
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {known}")
    return names


def _check(directory: Path, checks: Checks, only: Sequence[str]) -> None:
    tree, started = Tree(directory / "tree"), time.monotonic()
    with cluster_of(tree, directory) as cluster:
        suite = Suite(cluster, tree.rendered(_OVERLAY), checks)
        with cluster.running():
            try:
                start(suite)
                steps.take(suite, only)
            except PodFailed as failure:
                print(f"{failure}: there is no use in going on", file=sys.stderr)
        _conclude(suite, time.monotonic() - started)


@contextmanager
def cluster_of(tree: Tree, directory: Path) -> Iterator[Cluster]:
    """Where to run it: what the environment and this machine have, in this order."""
    manifests, overlay = tree.rendered(_OVERLAY), tree.overlay(_OVERLAY)
    if os.environ.get("KUBECONFIG"):
        yield KubectlCluster(overlay, manifests, os.environ)
    elif kind.is_here():
        with kind.kind_cluster(manifests, directory) as environment:
            yield KubectlCluster(overlay, manifests, environment)
    else:
        yield PodmanCluster(_podman_with_images(), manifests, directory)


def _podman_with_images() -> Podman:
    install("podman", "debootstrap")
    podman = Podman(DATA)
    require_podman(podman)
    sweep(podman)
    heading("The images")
    print(f"  those of others are from {bases.provide(podman, DATA)}")
    images.show([images.build(podman, service, TAG) for service in images.SERVICES])
    return podman


def require_podman(podman: Podman) -> None:
    """Raises CommandFailed if it is too old to play the overlay."""
    # Podman 4.3, which Debian 12 has, cannot read a variable from a Secret that it has played.
    version = podman("version", "--format={{.Client.Version}}")
    if int(version.partition(".")[0]) < _PODMAN:
        raise CommandFailed(
            f"This takes podman {_PODMAN}, as in Debian 13, and here is {version}: "
            "install that, or set KUBECONFIG for a cluster."
        )


def _conclude(suite: Suite, seconds: float) -> None:
    made, wrong = suite.checks.made, len(suite.checks.wrong)
    left_out = list(suite.cluster.left_out())
    if left_out:
        heading(f"What of the overlay is not run by {suite.cluster.title}")
        table(left_out)
    heading(f"{made - wrong} of {made} checks passed")
    print(
        f"  {len(suite.started)} pods started, {len(suite.returned)} killed and come back, "
        f"by {suite.cluster.title} in {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
