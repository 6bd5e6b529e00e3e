"""Chooses a port's adapter by the scheme of its URL and imports it only then.

An unknown scheme names the known ones, a missing driver names the extra to install, one that does
not load says why; nothing falls back silently.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class ConfigurationError(Exception):
    """A setting can't be used; the message says which and what to write instead."""


@dataclass(frozen=True)
class Adapter:
    """Where an adapter's class lives, and the extra of `muster` that brings its driver, if any."""

    module: str
    name: str
    extra: str | None = None


def load_adapter(port: str, url: str, adapters: Mapping[str, Adapter]) -> Any:
    """The class that serves `url`; raises ConfigurationError. The URL's password is never shown."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in adapters:
        known = ", ".join(f"{name}://" for name in adapters)
        raise ConfigurationError(f"The {port} URL begins with {scheme!r}; known are {known}.")
    adapter = adapters[scheme]
    try:
        module = import_module(adapter.module)
    except ModuleNotFoundError as error:
        if adapter.extra is None:
            raise
        raise ConfigurationError(
            f"A {scheme}:// {port} needs the package {error.name}: install muster[{adapter.extra}]."
        ) from error
    except ImportError as error:
        if adapter.extra is None:
            raise
        raise ConfigurationError(
            f"The driver for a {scheme}:// {port} is installed but does not load ({error}): "
            f"install muster[{adapter.extra}] again in the version that uv.lock names."
        ) from error
    return getattr(module, adapter.name)


@contextmanager
def exit_if_misconfigured(program: str) -> Iterator[None]:
    """End the process with status 1 and the one sentence of a ConfigurationError."""
    try:
        yield
    except ConfigurationError as error:
        sys.exit(f"{program}: {error}")


def path_of(url: str) -> Path:
    """The file that a URL names: absolute for `file:///tmp/store` and `maildir:///tmp/mail`.

    `sqlite:///` is followed by a path that is absolute if it begins with a slash of its own, as
    SQLAlchemy reads it: `sqlite:///relative.db`, `sqlite:////tmp/absolute.db`.
    """
    parts = urlsplit(url)
    if parts.netloc or not parts.path.strip("/"):
        raise ConfigurationError(
            f"{url!r} names no file: write three slashes and a path, {parts.scheme}:///…"
        )
    path = unquote(parts.path)
    return Path(path[1:] if parts.scheme == "sqlite" else "/" + path.lstrip("/"))
