"""Reading the quantities and times of manifests."""

import re

from tools.k8s_check.manifests import Json

_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}


def bytes_of(quantity: str | int) -> int:
    """A quantity of memory or disk in bytes, such as 64Mi."""
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", str(quantity)).groups()  # type: ignore[union-attr]
    return int(number) * _UNITS[unit]


def cores_of(quantity: str | int) -> float:
    """A quantity of processors, such as 250m."""
    text = str(quantity)
    return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def seconds_of_grace(container: Json) -> int:
    """How long a container waits, by its preStop hook, before it is told to stop."""
    hook: Json = container.get("lifecycle", {}).get("preStop", {})
    if "sleep" in hook:
        return int(hook["sleep"]["seconds"])
    found = re.search(r"sleep[\s(',]+(\d+)", str(hook.get("exec", {}).get("command", "")))
    return int(found[1]) if found else 0
