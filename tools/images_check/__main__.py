"""`python -m tools.images_check`: needs root on Debian. What it makes lies in .images-check."""

import signal
import sys
import tempfile
import time
from pathlib import Path

from embedded.demo.checks import Checks, heading
from tools.images_check import bases, images
from tools.images_check.commands import CommandFailed
from tools.images_check.engine import Podman
from tools.images_check.stack import new_stack
from tools.images_check.workshop import DATA, TAG, install, sweep


def main() -> int:
    """Do all of it; returns 0 when everything was as it must be."""
    # As Ctrl-C does: what runs is stopped and removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    checks, started = Checks(), time.monotonic()
    try:
        install("podman", "docker-compose", "debootstrap")
        _check(checks)
    except CommandFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    wrong = len(checks.wrong)
    heading(f"{checks.made - wrong} of {checks.made} checks passed")
    print(f"  in {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def _check(checks: Checks) -> None:
    podman = Podman(DATA)
    with tempfile.TemporaryDirectory(prefix="muster-images-") as directory:
        sweep(podman)
        heading("The images that these are built from and run with")
        print(f"  {bases.provide(podman, DATA)}")
        heading("The five images")
        built = [images.build(podman, service, TAG) for service in images.SERVICES]
        images.show(built)
        for image in built:
            images.check(image, checks)
        images.check_sharing(built, checks)
        stack = new_stack(podman, TAG, Path(directory))
        heading("The stack of docker-compose.yml")
        started = time.monotonic()
        with podman.serving(), stack.running():
            print(f"  all is well after {time.monotonic() - started:.0f} s")
            stack.check_containers(checks)
            stack.do_the_demo(checks)
        sweep(podman)


if __name__ == "__main__":
    sys.exit(main())
