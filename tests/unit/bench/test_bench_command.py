import subprocess
import sys

import pytest

from bench.parts import NAMES, find_part


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], capture_output=True, text=True
    )


def test_help_names_the_parts() -> None:
    done = run_bench("--help")
    assert done.returncode == 0
    assert set(NAMES) <= set(done.stdout.replace(",", " ").split())


def test_an_unknown_part_is_refused_before_anything_is_measured() -> None:
    done = run_bench("--only", f"{NAMES[0]},speed")
    assert done.returncode == 2
    assert "no part is called speed" in done.stderr


def test_an_unknown_part_names_those_there_are() -> None:
    with pytest.raises(KeyError, match=f"there are {NAMES[0]}"):
        find_part("speed")
