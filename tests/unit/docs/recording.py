"""What the cell of a page draws, noted down in the place of `diagrams`, which needs Graphviz."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
_CELL = re.compile(r"^```\{code-cell\} ipython3\n:tags:.*?\n\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_KINDS = ("clusterconfig", "compute", "network", "storage")


class Recorded(ModuleType):
    """Every module of `diagrams`: boxes by their ids, arrows from id to id, titles of groups."""

    def __init__(self) -> None:
        super().__init__("diagrams")
        self.boxes: list[str] = []
        self.arrows: list[tuple[str, str]] = []
        self.titles: list[str] = []

    @contextmanager
    def _group(self, *title: str, **_: Any) -> Iterator[SimpleNamespace]:
        self.titles.extend(title)
        yield SimpleNamespace(dot=None)

    def __getattr__(self, name: str) -> Any:
        if name in ("Cluster", "Diagram"):
            return self._group
        if name.startswith("__"):
            raise AttributeError(name)
        return _Line if name == "Edge" else lambda _label, nodeid, **_: _Box(self, nodeid)


class _Line:
    def __init__(self, **_: Any) -> None:
        self.source = ""


class _Box:
    def __init__(self, drawn: Recorded, nodeid: str) -> None:
        self._drawn, self._id = drawn, nodeid
        drawn.boxes.append(nodeid)

    def __rshift__(self, line: _Line) -> _Line:
        line.source = self._id
        return line

    def __rrshift__(self, line: _Line) -> "_Box":
        self._drawn.arrows.append((line.source, self._id))
        return self


def recorded(page: str, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """What the one cell of a page of docs/ draws."""
    (cell,) = _CELL.findall((ROOT / "docs" / page).read_text("utf-8"))
    drawn = Recorded()
    for name in ("diagrams", "diagrams.k8s", *(f"diagrams.k8s.{kind}" for kind in _KINDS)):
        monkeypatch.setitem(sys.modules, name, drawn)
    exec(compile(cell, page, "exec"), {})
    return drawn
