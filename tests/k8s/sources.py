"""What the code, the images and docker-compose.yml say, to hold the manifests to."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from muster.http.settings import ServerSettings
from muster.settings import variables_of as read_variables
from tests.compose_file import containers
from tools.k8s_check.manifests import Json, Manifests

ROOT = Path(__file__).parents[2]
SERVICES = ("auth", "dbuploader", "gateway", "notification", "queries")
_PACKAGES = (*SERVICES, "muster")
_VARIABLE = re.compile(r"\bMUSTER_[A-Z]+(?:_[A-Z]+)*\b")


class Process(NamedTuple):
    """A service's image with a command; () is the image's own."""

    service: str
    command: tuple[str, ...]


def compose() -> dict[str, Json]:
    """The containers of docker-compose.yml, by name."""
    return containers()


def compose_processes() -> dict[Process, Json]:
    """The environment of each of Muster's processes in Compose."""
    return {
        process: each["environment"]
        for each in compose().values()
        if (process := process_of(each["image"], each.get("command", [])))
    }


def processes(manifests: Manifests) -> dict[Process, Json]:
    """The container of each of Muster's processes in the manifests."""
    return {
        process: container
        for workload in manifests.workloads()
        for container in workload.all_containers
        if (process := process_of(container["image"], container.get("command", [])))
    }


def process_of(image: str, command: list[str]) -> Process | None:
    """The process of Muster that this is, or None for somebody else's."""
    found = re.match(r"(?:.+/)?muster/([a-z]+)[:@]", image)
    return Process(found[1], tuple(command)) if found else None


def variables_of(service: str) -> set[str]:
    """The variables that a service's settings read, and its HTTP server."""
    own = read_variables(import_module(f"{service}.settings").Settings)
    serving = set(_VARIABLE.findall(read("muster/serving.py")))
    return own | read_variables(ServerSettings) | serving


def dockerfile(service: str) -> str:
    """The text of a service's Dockerfile."""
    return read(f"{service}/Dockerfile")


def read(path: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / path).read_text("utf-8")


@cache
def metrics() -> dict[str, set[str]]:
    """The metrics that the code registers, with the names of their labels."""
    found: dict[str, set[str]] = {}
    for module in _modules():
        found |= _metrics_of(module)
    return found


@cache
def texts() -> set[str]:
    """Every text that stands in the code."""
    nodes = (node for module in _modules() for node in ast.walk(module))
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@cache
def _modules() -> list[ast.Module]:
    files = [file for package in _PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    return [ast.parse(file.read_text("utf-8")) for file in files]


def _metrics_of(module: ast.Module) -> dict[str, set[str]]:
    found = {}
    for call in ast.walk(module):
        match call:
            case ast.Call(
                func=ast.Name("Counter" | "Gauge" | "Histogram"),
                args=[ast.Constant(str(name)), _, *rest],
            ) if name.startswith("muster_"):
                labels: Any = ast.literal_eval(rest[0]) if rest else ()
                found[name] = set(labels)
    return found
