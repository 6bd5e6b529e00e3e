"""`python -m deploy.images_check`: needs root on Debian. What it makes lies in .images-check."""

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from deploy.images_check import bases, images
from deploy.images_check.commands import ROOT, CommandFailed, run
from deploy.images_check.engine import Podman
from deploy.images_check.stack import new_stack
from embedded.demo.checks import Checks, heading

_TAG = "check"
_DATA = ROOT / ".images-check"
_NEEDED = {
    "podman": ("podman", "runc", "conmon", "netavark", "aardvark-dns", "nftables", "catatonit"),
    "docker-compose": ("docker-compose",),
    "debootstrap": ("debootstrap",),
}


def main() -> int:
    """Do all of it; returns 0 when everything was as it must be."""
    # As Ctrl-C does: what runs is stopped and removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    checks, started = Checks(), time.monotonic()
    try:
        _install()
        _check(checks)
    except CommandFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    wrong = len(checks.wrong)
    heading(f"{checks.made - wrong} of {checks.made} checks passed")
    print(f"  in {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def _check(checks: Checks) -> None:
    podman = Podman(_DATA)
    with tempfile.TemporaryDirectory(prefix="muster-images-") as directory:
        _sweep(podman)
        heading("The images that these are built from and run with")
        print(f"  {bases.provide(podman, _DATA)}")
        heading("The five images")
        built = [images.build(podman, service, _TAG) for service in images.SERVICES]
        images.show(built)
        for image in built:
            images.check(image, checks)
        stack = new_stack(podman, _TAG, Path(directory))
        heading("The stack of docker-compose.yml")
        started = time.monotonic()
        with podman.serving(), stack.running():
            print(f"  all is well after {time.monotonic() - started:.0f} s")
            stack.check_containers(checks)
            stack.do_the_demo(checks)
        _sweep(podman)


def _sweep(podman: Podman) -> None:
    """Remove what was made here, except for the stand-ins, which the next check uses again."""
    podman("rm", "--all", "--force", "--time=0")
    podman("volume", "prune", "--force")
    podman("network", "prune", "--force")
    for service in images.SERVICES:
        podman("rmi", "--force", "--ignore", f"{images.name_of(service)}:{_TAG}")
    podman("image", "prune", "--force")


def _install() -> None:
    if os.geteuid() != 0:
        raise CommandFailed("Run this as root: it makes networks and file systems of other users.")
    missing = [
        name for command in _NEEDED if not shutil.which(command) for name in _NEEDED[command]
    ]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise CommandFailed(f"Install {', '.join(missing)}, or run this on Debian as root.")
    run("apt-get", "-qq", "update")
    run("apt-get", "-qq", "install", "--no-install-recommends", *missing)


if __name__ == "__main__":
    sys.exit(main())
