import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.families import Family

ROOT = Path(__file__).parents[2]


def run_demo(*arguments: str, family: Family | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embedded.demo", *arguments],
        cwd=ROOT,
        env={**os.environ, **(family.environment if family else {})},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_main_job_ends_as_worked_out_from_the_sample_files(family: Family) -> None:
    demo = run_demo("samples", *maildir_option(family), family=family)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "All is as expected" in demo.stdout
    assert "WRONG" not in demo.stdout
    assert demo.stdout.count("there is an email about") == 3


def maildir_option(family: Family) -> list[str]:
    # The embedded default's mail is in the demo's own directory, which it finds by itself.
    return ["--maildir", str(family.maildir)] if family.environment else []


def test_a_directory_without_the_three_files_is_refused(tmp_path: Path) -> None:
    demo = run_demo(str(tmp_path))
    assert demo.returncode == 2
    assert "there is no" in demo.stderr


def test_ctrl_c_ends_the_demo_without_a_traceback(tmp_path: Path) -> None:
    errors = tmp_path / "stderr"
    with (
        errors.open("wb") as said,
        subprocess.Popen(
            [sys.executable, "-u", "-m", "embedded.demo"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            # As at a terminal, even where the tests run in the background, with SIGINT ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as demo,
    ):
        assert demo.stdout is not None
        assert any("it answers at" in line for line in demo.stdout)
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=120)
    assert demo.returncode == 130
    assert errors.read_text() == ""
