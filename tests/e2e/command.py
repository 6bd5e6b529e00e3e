"""The command `muster`, run in this process, with its profiles in a folder of the test's own."""

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muster_client.command.app import run


@dataclass(frozen=True)
class Ran:
    """How the command ended, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        """What it wrote as JSON, a line each."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """The command as a user of one suite calls it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        self._monkeypatch = monkeypatch
        # One of these is where the platform keeps configuration.
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        monkeypatch.setenv("HOME", str(home))
        for name in ("MUSTER_PROFILE", "MUSTER_URL", "MUSTER_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Ran:
        out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
        with self._monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            patched.setattr(sys, "stdout", out)
            patched.setattr(sys, "stderr", err)
            status = run([*map(str, arguments)])
        return Ran(status, _written(out), _written(err))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
