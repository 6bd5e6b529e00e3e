"""The five images: built, and what must be true of each."""

import json
import time
from pathlib import Path

from deploy.images_check.commands import ROOT
from deploy.images_check.engine import Podman
from embedded.demo.checks import Checks, table

# The distributions that tell the services apart; each image has those of its own service alone.
_APART = {
    "auth": {"alembic", "argon2-cffi", "limits", "mysql-connector-python"},
    "dbuploader": {"alembic", "mysql-connector-python", "pika", "pymongo", "tenacity"},
    "gateway": {"flask-openapi", "pika", "pymongo"},
    "notification": {"pika", "pymongo"},
    "queries": {"mysql-connector-python"},
}
SERVICES = tuple(_APART)
_NOWHERE = {"pip", "uv", "pytest", "hatchling", "muster-embedded"}
_LIST = (
    "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
)


def name_of(service: str) -> str:
    """The image's name without the tag, as podman spells it."""
    return f"docker.io/muster/{service}"


def build_all(podman: Podman, tag: str) -> None:
    """Build the five, and show how long it took and how big they are."""
    rows = []
    for service in SERVICES:
        started = time.monotonic()
        image = f"{name_of(service)}:{tag}"
        podman.build(image, Path(service) / "Dockerfile", ROOT)
        size = int(podman("image", "inspect", "--format={{.Size}}", image))
        uid = podman("run", "--rm", "--network=none", image, "id", "-u")
        seconds = round(time.monotonic() - started, 1)
        rows.append(
            {"image": service, "MB": round(size / 1e6), "seconds": seconds, "user id": int(uid)}
        )
    table(rows)


def check_all(podman: Podman, tag: str, checks: Checks) -> None:
    """Check whom each runs as, what it has installed, and that it has a health check."""
    for service in SERVICES:
        image = f"{name_of(service)}:{tag}"
        in_image = ("run", "--rm", "--network=none", image)
        uid = int(podman(*in_image, "id", "-u"))
        checks.equal(f"{service} runs as somebody who is not root", uid, 10001)
        installed = set(json.loads(podman(*in_image, "python", "-c", _LIST)))
        wanted = {*_APART[service], "muster", f"muster-{service}"}
        known = _NOWHERE.union(*_APART.values(), {f"muster-{name}" for name in SERVICES})
        found = {name for name in installed if name in known or name == "muster"}
        checks.equal(f"{service} has its own packages and no others", found, wanted)
        inspected = json.loads(podman("image", "inspect", image))[0]
        checks.equal(f"{service} has a health check", "Healthcheck" in inspected, True)
