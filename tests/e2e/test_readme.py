"""The walk through of the README, and of the page about sending files, as they are pasted."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.suite_process import SuiteProcess

ROOT = Path(__file__).parents[2]
HEADER = "id,name,datetime,department_id,job_id,_line,_row,_code,_column,_message"
ON_THIS_MACHINE = re.compile(r"http://127\.0\.0\.1:8080|var/admin-password|\.venv/bin")


TAB = re.compile(r"^:::\{tab-item\} (\w+)\n.*?^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def ways(page: str, heading: str) -> dict[str, str]:
    """What the section does in each of its ways, by the name of the tab."""
    section = (ROOT / page).read_text("utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    scripts: dict[str, str] = {}
    for way, script in TAB.findall(section):
        scripts[way] = scripts.get(way, "") + script
    return scripts


def blocks(page: str, heading: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


CALL_BY_CALL = ways("docs/using.md", "Call by call: curl, Python, the command")


def on(suite: SuiteProcess, *scripts: str) -> str:
    here = {
        "http://127.0.0.1:8080": suite.url,
        "var/admin-password": f"{suite.home}/admin-password",
        ".venv/bin": f"{sys.prefix}/bin",
    }
    return ON_THIS_MACHINE.sub(lambda found: here[found[0]], "\n".join(scripts))


def paste(script: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / "samples", folder / "samples")
    return subprocess.run(
        # Not with pipefail: head ends before curl has written all.
        ["bash", *options, "-c", script],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_walk_through_of_the_readme_works_as_pasted(
    tmp_path: Path, suite: SuiteProcess
) -> None:
    command, _ = blocks("README.md", "A walk through")
    # Not with -e: rejected rows are status 1, and the terminal goes on.
    done = paste(on(suite, command), tmp_path, "-u")
    assert (done.returncode, done.stdout.count(": completed")) == (0, 3), done.stderr
    assert "62 rejected\n" in done.stdout
    assert "\nid,department,hired\n" in done.stdout
    rejects = (tmp_path / "rejects.csv").read_text("utf-8").splitlines()
    assert (len(rejects), rejects[0]) == (63, HEADER)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_same_with_curl_works_as_pasted(tmp_path: Path, suite: SuiteProcess) -> None:
    _, curl = blocks("README.md", "A walk through")
    done = paste(on(suite, curl, CALL_BY_CALL["curl"]), tmp_path, "-eu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"state":"completed') == 7
    assert HEADER in done.stdout
    assert "department,job,Q1,Q2,Q3,Q4" in done.stdout
    assert len((tmp_path / "rejects.csv").read_text("utf-8").splitlines()) == 63


def test_the_same_in_python_and_with_the_command_works_as_pasted(
    tmp_path: Path, suite: SuiteProcess
) -> None:
    python = f".venv/bin/python - <<'END'\n{CALL_BY_CALL['Python']}END\n"
    command = f"PATH=$PATH:.venv/bin\n{CALL_BY_CALL['muster']}"
    done = paste(on(suite, python, command), tmp_path, "-u")
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("62 rows of hired_employees.csv are in rejects.csv\n")
    # Three files by each, and the corrected rows by the command.
    assert done.stdout.count(" completed") == 7
    assert done.stdout.count("department,job,Q1,Q2,Q3,Q4") == 2
    assert len((tmp_path / "rejects.csv").read_text("utf-8").splitlines()) == 63
