"""The five images: built, and what must be true of each."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from embedded.demo.checks import Checks, table
from tools.images_check.commands import ROOT
from tools.images_check.engine import Podman

# The distributions that tell the services apart; each image has those of its own service alone.
_APART = {
    "auth": {"alembic", "argon2-cffi", "limits", "mysql-connector-python", "pika"},
    "dbuploader": {
        *("alembic", "mysql-connector-python", "pika"),
        *("pyarrow", "pymongo", "pyroaring", "tenacity"),
    },
    "gateway": {"flask-openapi", "pika", "pymongo"},
    "notification": {"alembic", "mysql-connector-python", "pika", "pymongo", "standardwebhooks"},
    "queries": {"mysql-connector-python"},
}
SERVICES = tuple(_APART)
_EVERYWHERE = {"muster", "opentelemetry-sdk"}
_NOWHERE = {"pip", "uv", "pytest", "hatchling", "muster-client", "muster-embedded"}
# Of the service's code, as it is with its bytecode.
_CODE_BYTES = 8_000_000
_WITH_KEY = {"auth", "dbuploader", "notification"}
_TOOLS = "for tool in pip uv cc gcc ld as make; do command -v $tool; done; python -m pip 2>&1"
_LIST = "import importlib.metadata as m; print(*sorted({each.name for each in m.distributions()}))"


@dataclass(frozen=True)
class Built:
    """An image as it was built: its size in bytes, and what it says of itself when it runs.

    `layers` are their digests, the base's first; the last, of the service's code, has `code_size`
    bytes. `tools` is what it said when it was asked for what installs or compiles.
    """

    service: str
    seconds: float
    size: int
    layers: tuple[str, ...]
    code_size: int
    tools: str
    user: str
    distributions: frozenset[str]
    has_health_check: bool


def name_of(service: str) -> str:
    """The image's name without the tag, as podman spells it."""
    return f"docker.io/muster/{service}"


def build(podman: Podman, service: str, tag: str) -> Built:
    """Build the image of a service; raises CommandFailed."""
    image = f"{name_of(service)}:{tag}"
    started = time.monotonic()
    podman.build(image, Path(service) / "Dockerfile", ROOT)
    seconds = time.monotonic() - started
    said = podman("run", "--rm", "--network=none", image, "sh", "-c", f'id -u; python -c "{_LIST}"')
    user, distributions = said.splitlines()
    tools = podman("run", "--rm", "--network=none", image, "sh", "-c", f"{_TOOLS}; true")
    inspected = json.loads(podman("image", "inspect", image))[0]
    history = json.loads(podman("history", "--format=json", image))
    return Built(
        service=service,
        seconds=seconds,
        size=inspected["Size"],
        layers=tuple(inspected["RootFS"]["Layers"]),
        code_size=next(int(step["size"]) for step in history if step["size"]),
        tools=tools,
        user=user,
        distributions=frozenset(distributions.split()),
        has_health_check="Healthcheck" in inspected,
    )


def show(images: list[Built]) -> None:
    """Print how big each is, how long it took, and who runs in it."""
    table(
        [
            {
                "image": each.service,
                "MB": round(each.size / 1e6),
                "code kB": round(each.code_size / 1e3),
                "built in s": round(each.seconds),
                "user id": each.user,
                "packages": len(each.distributions),
            }
            for each in images
        ]
    )


def check(image: Built, checks: Checks) -> None:
    """Check whom it runs as, what it has installed, and that it has a health check."""
    name = image.service
    known = _NOWHERE.union(_EVERYWHERE, *_APART.values(), {f"muster-{each}" for each in SERVICES})
    wanted = {*_APART[name], *_EVERYWHERE, f"muster-{name}"}
    checks.equal(f"{name} runs as somebody who is not root", image.user, "10001")
    checks.equal(f"{name} has its own packages alone", image.distributions & known, wanted)
    checks.equal(f"{name} has a health check", image.has_health_check, True)
    no_pip = "/app/.venv/bin/python: No module named pip"
    checks.equal(f"{name} has nothing that installs or compiles", image.tools, no_pip)
    small = image.code_size < _CODE_BYTES
    checks.equal(f"a change of code ships {image.code_size / 1e6:.1f} MB of {name}", small, True)


def check_sharing(images: list[Built], checks: Checks) -> None:
    """Check that the images have the layers in common that hold what all services need."""
    common = {each.layers[: len(each.layers) - _own_layers(each)] for each in images}
    checks.equal("the five share their first layers", len(common), 1)


def _own_layers(image: Built) -> int:
    # Packages and code; and where it keeps a key, its directory.
    return 3 if image.service in _WITH_KEY else 2
