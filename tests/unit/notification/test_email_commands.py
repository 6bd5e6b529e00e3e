"""The commands, run by a real shell with a curl that only notes what it is asked for."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from muster.contracts.uploads import Options, State, Upload
from notification.channels.email import commands
from tests.unit.notification import stories
from tests.unit.notification.stories import PUBLIC_URL

Curl = Callable[[str], list[str]]
HEADER = ["-H", "Authorization: Bearer a.b.c"]


@pytest.fixture
def curl(tmp_path: Path) -> Curl:
    """What curl gets when a shell runs the command in an empty directory, which stays empty."""
    tools, here, noted = tmp_path / "tools", tmp_path / "here", tmp_path / "noted"
    tools.mkdir()
    here.mkdir()
    fake = tools / "curl"
    fake.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >> '{noted}'\n")
    fake.chmod(0o755)

    def run(command: str) -> list[str]:
        noted.unlink(missing_ok=True)
        environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "TOKEN": "a.b.c"}
        done = subprocess.run(
            ["sh", "-eu", "-c", command], cwd=here, env=environment, capture_output=True, check=True
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        assert list(here.iterdir()) == []
        return noted.read_bytes().decode().split("\0")[:-1]

    return run


def test_logging_in_asks_for_the_password(curl: Curl) -> None:
    command = commands.login(PUBLIC_URL, stories.COMPLETED)
    assert command.startswith("TOKEN=$(")
    assert curl(command) == [
        *("-fsS", "-X", "POST", "-u", "ana@example.com"),
        *("-H", "Accept: text/plain", "http://127.0.0.1:8080/v1/login"),
    ]


def test_an_undo_is_repeated_as_far_as_it_can_be(curl: Curl) -> None:
    url = f"http://127.0.0.1:8080/v1/uploads/{stories.UNDONE.undoes}/undo"
    asked = curl(commands.undo(PUBLIC_URL, stories.UNDO_FAILED))
    assert asked == ["--fail-with-body", "-sS", "-X", "POST", *HEADER, url]


def test_the_rejects_go_to_a_file(curl: Curl) -> None:
    upload = stories.WITH_REJECTS
    url = f"http://127.0.0.1:8080/v1/uploads/{upload.id}/rejects"
    asked = curl(commands.fetch_rejects(PUBLIC_URL, upload))
    assert asked == ["-fsS", *HEADER, "-o", "hired_employees.rejects.csv", url]


def test_the_corrected_rejects_are_sent_to_the_same_table(curl: Curl) -> None:
    upload = replace(stories.WITH_REJECTS, options=Options("insert", delimiter=";", dates="dmy"))
    asked = curl(commands.send_rejects(PUBLIC_URL, upload))
    # The delimiter was that of the file that came; that of the rejects is always a comma.
    url = "http://127.0.0.1:8080/v1/uploads?table=hired_employees&mode=insert&dates=dmy"
    file = "file=@hired_employees.rejects.csv"
    assert asked == ["--fail-with-body", "-sS", *HEADER, "-F", file, url]


def test_the_file_is_sent_again_with_its_options_but_not_dry(curl: Curl) -> None:
    options = Options(dry_run=True, max_rejects=0, delimiter=";", encoding="latin-1")
    upload = replace(stories.DRY_RUN, options=options)
    url = urlsplit(curl(commands.send_file(PUBLIC_URL, upload))[-1])
    assert parse_qs(url.query) == {
        "table": ["hired_employees"],
        "max_rejects": ["0"],
        "delimiter": [";"],
        "encoding": ["latin-1"],
    }


@pytest.mark.parametrize(
    ("filename", "file"),
    [
        ("hires 2021.csv", "hires 2021.csv"),
        ("contratação.csv.gz", "contratação.csv.gz"),
        ("-", "hired_employees.csv"),
        ("a;type=text/html", "hired_employees.csv"),
        ("../../etc/passwd", "hired_employees.csv"),
        ('a",file=@b', "hired_employees.csv"),
        ("a\u202egpj.csv", "hired_employees.csv"),
        ("", "hired_employees.csv"),
    ],
)
def test_only_a_plain_name_gets_into_a_command(curl: Curl, filename: str, file: str) -> None:
    asked = curl(commands.send_file(PUBLIC_URL, replace(stories.FAILED, filename=filename)))
    assert asked[asked.index("-F") + 1] == f"file=@{file}"


shell = st.text(st.sampled_from("a'\"`$(){};&|<>\\ \n\r\t*?[]#~=%!@-/,é\u202e"), max_size=30)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(shell, shell)
@example("$(touch x)", "$(touch x)@example.com")
@example("'; touch x; '", "a'; touch x; '@example.com")
def test_a_shell_takes_nothing_of_a_name_for_a_command(
    curl: Curl, filename: str, user: str
) -> None:
    upload = replace(stories.FAILED, filename=filename, submitted_by=user)
    asked = curl(commands.login(PUBLIC_URL, upload))
    assert asked[asked.index("-u") + 1] == user
    asked = curl(commands.send_file(PUBLIC_URL, upload))
    assert (len(asked), asked[2:4]) == (7, HEADER)
    assert asked[-1] == "http://127.0.0.1:8080/v1/uploads?table=hired_employees"


def steps(upload: Upload) -> list[str]:
    text = stories.body(stories.email_about(upload), "plain")
    return [line.split(". ", 1)[1] for line in text.splitlines() if line[:2] in {"1.", "2.", "3."}]


def test_a_dry_run_without_rejects_is_sent_again_for_good() -> None:
    upload = replace(stories.COMPLETED, state=State.VALIDATED, options=Options(dry_run=True))
    assert steps(upload)[-1] == "Send the file again without dry_run, to load it."
    assert len(steps(upload)) == 2


def test_a_failure_with_rejects_gives_them_too() -> None:
    assert "Get the rejected rows." in steps(stories.TOO_MANY_REJECTS)
    assert "Get the rejected rows." not in steps(stories.FAILED)
