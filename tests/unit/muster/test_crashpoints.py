"""Crash points: each stands in the code and in the docs, and only an armed one does anything."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from muster.crashpoints import Point

ROOT = Path(__file__).parents[3]
PACKAGES = ("muster", "gateway", "dbuploader", "notification", "auth", "queries", "embedded")
PROGRAM = "from muster.crashpoints import Point, crash_point; crash_point(Point.LOAD_COMMITTED)"


def run(directory: Path) -> int:
    """The status of `python -m passes_by`, which comes by load.committed."""
    return subprocess.run(
        [sys.executable, "-m", "passes_by"],
        env={"PYTHONPATH": f"{ROOT}:{directory}", "MUSTER_CRASH_POINTS": str(directory)},
    ).returncode


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "passes_by.py").write_text(PROGRAM)
    return tmp_path


def arm(directory: Path, module: str, point: Point) -> Path:
    (directory / module).mkdir()
    file = directory / module / point
    file.touch()
    return file


def test_each_point_stands_in_the_code_once() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    calls = re.findall(
        r"crash_point\(Point\.(\w+)\)", "\n".join(file.read_text("utf-8") for file in files)
    )
    assert sorted(calls) == sorted(Point.__members__)


def test_the_guarantees_tell_of_each_point() -> None:
    page = (ROOT / "docs/guarantees.md").read_text("utf-8")
    table = page.partition("## Crash points")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == list(Point)


def test_a_process_dies_once_at_a_point_that_is_armed_for_it(directory: Path) -> None:
    armed = arm(directory, "passes_by", Point.LOAD_COMMITTED)
    assert [run(directory), run(directory)] == [-signal.SIGKILL, 0]
    assert not armed.exists()


@pytest.mark.parametrize(
    ("module", "point"),
    [("passes_by", Point.LOAD_DECIDED), ("somebody_else", Point.LOAD_COMMITTED)],
)
def test_what_is_armed_elsewhere_is_passed_by(directory: Path, module: str, point: Point) -> None:
    armed = arm(directory, module, point)
    assert run(directory) == 0
    assert armed.exists()
