"""Where the checks keep what they make, and the tools that they need."""

import os
import shutil

from tools.images_check import images
from tools.images_check.commands import ROOT, CommandFailed, run
from tools.images_check.engine import Podman

DATA = ROOT / ".images-check"
TAG = "check"
_PACKAGES = {
    # netavark calls nft, and in Debian 12 iptables.
    "podman": (
        *("podman", "runc", "conmon", "catatonit"),
        *("netavark", "aardvark-dns", "nftables", "iptables"),
    ),
    "docker-compose": ("docker-compose",),
    "debootstrap": ("debootstrap",),
}


def install(*commands: str) -> None:
    """Have these commands, from Debian's packages where one is missing; raises CommandFailed."""
    if os.geteuid() != 0:
        raise CommandFailed("Run this as root: it makes networks and file systems of other users.")
    missing = [
        name for command in commands if not shutil.which(command) for name in _PACKAGES[command]
    ]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise CommandFailed(f"Install {', '.join(missing)}, or run this on Debian as root.")
    run("apt-get", "-qq", "update")
    run("apt-get", "-qq", "install", "--no-install-recommends", *missing)


def sweep(podman: Podman) -> None:
    """Remove what was made here, except for the stand-ins, which the next check uses again."""
    podman("pod", "rm", "--all", "--force", "--time=0")
    podman("rm", "--all", "--force", "--time=0")
    podman("volume", "prune", "--force")
    podman("secret", "rm", "--all")
    podman("network", "prune", "--force")
    for service in images.SERVICES:
        podman("rmi", "--force", "--ignore", f"{images.name_of(service)}:{TAG}")
    podman("image", "prune", "--force")
