"""A cluster for the check alone, by kind (https://kind.sigs.k8s.io/) with Docker."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.images_check import images
from tools.images_check.commands import run
from tools.k8s_check.manifests import Manifests

_NAME = "muster-check"


def is_here() -> bool:
    """Whether this machine has what it takes."""
    return bool(shutil.which("kind") and shutil.which("docker"))


@contextmanager
def kind_cluster(manifests: Manifests, directory: Path) -> Iterator[Mapping[str, str]]:
    """A cluster whose nodes have the five images; yields the environment that leads to it.

    Raises CommandFailed. `directory` is for its credentials.
    """
    environment = {**os.environ, "KUBECONFIG": str(directory / "kubeconfig")}
    try:
        run("kind", "create", "cluster", f"--name={_NAME}", "--wait=3m", environment=environment)
        for image in sorted(ours(manifests)):
            service = image.partition(":")[0].rpartition("/")[2]
            run("docker", "build", f"--tag={image}", f"--file={service}/Dockerfile", ".")
            run("kind", "load", "docker-image", image, f"--name={_NAME}", environment=environment)
        yield environment
    finally:
        run("kind", "delete", "cluster", f"--name={_NAME}", environment=environment)


def ours(manifests: Manifests) -> set[str]:
    """The images of the overlay that are built here."""
    named = {container["image"] for _, container in manifests.containers()}
    return {
        each
        for each in named
        if any(each.partition(":")[0].endswith(f"/{service}") for service in images.SERVICES)
    }
