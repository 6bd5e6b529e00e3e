"""The images of others: from a registry, or where none answers, stand-ins of Debian's packages."""

import shutil
import tarfile
from hashlib import sha256
from pathlib import Path

from tools.images_check.commands import CommandFailed, run
from tools.images_check.engine import Podman

PYTHON = "docker.io/library/python:3.13-slim-trixie"
_DEBIAN = "docker.io/library/debian:trixie-slim"
STAND_INS = {
    PYTHON: "python",
    "docker.io/library/mysql:9.7": "mysql",
    "docker.io/library/rabbitmq:4.3-management": "rabbitmq",
    "docker.io/library/mongo:8.0": "mongo",
    "docker.io/axllent/mailpit:v1.34.0": "mailpit",
}
_DIRECTORY = Path(__file__).parent / "stand_ins"
_LABEL = "muster.made-from"
_PULL_SECONDS = 300.0


def provide(podman: Podman, directory: Path) -> str:
    """Have every image that is built on or run with; returns where they are from.

    Stand-ins made before of the same files are used again; `directory` holds what they are made of.
    """
    if podman.has(_DEBIAN) or not _pulls(podman, PYTHON):
        _make_stand_ins(podman, directory)
        return "stand-ins from Debian's packages, for no registry answers"
    for image in STAND_INS:
        podman("pull", "--quiet", image)
    return "their registry"


def _pulls(podman: Podman, image: str) -> bool:
    try:
        podman("pull", "--quiet", image, timeout=_PULL_SECONDS)
    except CommandFailed:
        return False
    return True


def _make_stand_ins(podman: Podman, directory: Path) -> None:
    if not podman.has(_DEBIAN):
        _make_debian(podman, directory)
    made_from = _digest()
    for image, name in STAND_INS.items():
        if podman.label(image, _LABEL) != made_from:
            context = _DIRECTORY / name
            podman.build(image, context / "Dockerfile", context, {_LABEL: made_from})


def _digest() -> str:
    files = sorted(file for file in _DIRECTORY.glob("*/*") if file.is_file())
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _make_debian(podman: Podman, directory: Path) -> None:
    root = directory / "debian"
    shutil.rmtree(root, ignore_errors=True)
    run("debootstrap", "--variant=minbase", "--include=ca-certificates", "trixie", str(root))
    # As in Debian's own image: no service starts when its package is installed.
    starter = root / "usr/sbin/policy-rc.d"
    starter.write_text("#!/bin/sh\nexit 101\n")
    starter.chmod(0o755)
    for left in (
        "var/cache/apt/archives",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/locale",
    ):
        shutil.rmtree(root / left)
    archive = directory / "debian.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".")
    podman("import", "--quiet", str(archive), _DEBIAN)
    archive.unlink()
    shutil.rmtree(root)
