"""The adapters that an app opens for itself, and keeps open for as long as its process lives."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from typing import Any

import pytest


@contextmanager
def closed_adapters(monkeypatch: pytest.MonkeyPatch, module: str, *names: str) -> Iterator[None]:
    """What the module opens by functions of these names is closed at the end of the block."""
    with ExitStack() as opened:
        for name in names:
            _close_what_it_opens(monkeypatch, opened, module, name)
        yield


def _close_what_it_opens(
    monkeypatch: pytest.MonkeyPatch, opened: ExitStack, module: str, name: str
) -> None:
    open_adapter = getattr(import_module(module), name)

    def open_here(*arguments: Any, **options: Any) -> Any:
        return opened.enter_context(closing(open_adapter(*arguments, **options)))

    monkeypatch.setattr(f"{module}.{name}", open_here)
