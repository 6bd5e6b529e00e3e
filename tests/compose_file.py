"""docker-compose.yml as Compose reads it where .env names no image."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[1] / "docker-compose.yml"


@cache
def containers() -> dict[str, dict[str, Any]]:
    """The containers by name, each with the image that is the default."""
    parsed: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
    return {name: {**each, "image": default_of(each["image"])} for name, each in parsed.items()}


def default_of(value: str) -> str:
    """A value with its variables' defaults in their place."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
