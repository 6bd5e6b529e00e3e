"""What Muster is tried on: by `make compat`, and where that cannot be, by the workflow."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """A release of Debian: what it is called here, by people and by its mirrors."""

    name: str
    title: str
    suite: str

    @property
    def updates(self) -> str:
        """The suite of its security updates; of unstable, which has none, ""."""
        return "" if self.suite == "sid" else f"{self.suite}-security"


@dataclass(frozen=True)
class Platform:
    """A system with the servers that its tests use: its own, or others beside them."""

    name: str
    system: System
    other_servers: bool = False


_DEBIAN_12 = System("debian12", "Debian 12", "bookworm")
_DEBIAN_13 = System("debian13", "Debian 13", "trixie")
_UNSTABLE = System("unstable", "Debian unstable", "sid")

PLATFORMS = (
    Platform("debian12", _DEBIAN_12),
    Platform("debian13", _DEBIAN_13),
    Platform("unstable-own", _UNSTABLE),
    Platform("unstable-mysql", _UNSTABLE, other_servers=True),
)

# What Debian has no package of, and by what name the workflow has it.
BY_WORKFLOW = {
    "Ubuntu 22.04": "ubuntu-22.04",
    "Ubuntu 24.04": "ubuntu-24.04",
    "Ubuntu 24.04 on arm64": "ubuntu-24.04-arm",
    "RHEL 9, as Rocky Linux: `make demo`": "rockylinux/rockylinux:9",
    "RHEL 10, as Rocky Linux: `make demo`": "rockylinux/rockylinux:10",
    "macOS, over the embedded default": "macos-latest",
    "MySQL 8.4": "mysql:8.4",
    "RabbitMQ 3.13": '"3.13"',
    "MongoDB 7.0": '"7.0"',
    "MongoDB 8.0": '"8.0"',
}


def select(names: str) -> Sequence[Platform]:
    """The platforms of these names, or of the systems of these names; of "", all.

    Names are separated by commas. Raises ValueError if one names nothing.
    """
    wanted = {name for name in names.split(",") if name}
    known = {name for platform in PLATFORMS for name in _names(platform)}
    if unknown := wanted - known:
        raise ValueError(
            f"ONLY names {', '.join(sorted(unknown))}, which is none of {', '.join(sorted(known))}"
        )
    return [platform for platform in PLATFORMS if not wanted or wanted & _names(platform)]


def _names(platform: Platform) -> set[str]:
    return {platform.name, platform.system.name}
