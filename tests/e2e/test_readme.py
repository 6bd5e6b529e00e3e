"""The walk through of the README, as it is pasted."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from embedded.suite_process import SuiteProcess

ROOT = Path(__file__).parents[2]


def walk_through(suite: SuiteProcess) -> str:
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.split("## A walk through, with curl")[1].split("\n## ")[0]
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
    here = {
        "http://127.0.0.1:8080": suite.url,
        "var/admin-password": f"{suite.home}/admin-password",
    }
    for as_written, as_running in here.items():
        assert as_written in script
        script = script.replace(as_written, as_running)
    return script


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_walk_through_of_the_readme_works_as_pasted(
    tmp_path: Path, suite: SuiteProcess
) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    done = subprocess.run(
        # Not with pipefail: head ends before curl has written all.
        ["bash", "-eu", "-c", walk_through(suite)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"state":"completed') == 3
    assert "id,name,datetime,department_id,job_id,_line,_row,_code,_column,_message" in done.stdout
    assert "department,job,Q1,Q2,Q3,Q4" in done.stdout
    assert len((tmp_path / "rejects.csv").read_text("utf-8").splitlines()) == 63
