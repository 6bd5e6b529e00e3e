"""Takes each safety line away, in a copy of the code, and sees its test fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.safety.lines import LINES, SafetyLine

ROOT = Path(__file__).parents[2]
TESTS_FAILED = 1


@pytest.fixture
def code(tmp_path: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    copy = tmp_path / "code"
    for name in filter(None, listed.stdout.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    return copy


each_line = pytest.mark.parametrize("line", LINES, ids=lambda line: line.promise.partition(":")[0])


@each_line
def test_the_line_and_its_test_are_there(line: SafetyLine) -> None:
    without(line, (ROOT / line.path).read_text())
    path, _, name = line.test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text()


@pytest.mark.chaos
@pytest.mark.timeout(600)
@each_line
def test_without_the_line_its_test_fails(line: SafetyLine, code: Path) -> None:
    path = code / line.path
    path.write_text(without(line, path.read_text()))
    # `-m`, for then this copy comes before the one that is installed.
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not chaos", line.test],
        cwd=code,
        # A run of its own: as a worker of this one it would look for servers where none are.
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"\n{line.promise}\n    {line.path}: {run.stdout.strip().splitlines()[-2:]}")
    assert run.returncode == TESTS_FAILED, run.stdout + run.stderr


def without(line: SafetyLine, text: str) -> str:
    assert text.count(line.old) == 1, f"{line.path} does not have this line once: {line.old!r}"
    changed = text.replace(line.old, line.new)
    compile(changed, line.path, "exec")
    return changed
