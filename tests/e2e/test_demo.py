import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embedded.demo", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_main_job_ends_as_worked_out_from_the_sample_files() -> None:
    demo = run_demo("samples")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "All is as expected" in demo.stdout
    assert "WRONG" not in demo.stdout


def test_a_directory_without_the_three_files_is_refused(tmp_path: Path) -> None:
    demo = run_demo(str(tmp_path))
    assert demo.returncode == 2
    assert "there is no" in demo.stderr
