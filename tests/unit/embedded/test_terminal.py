import io
from contextlib import suppress
from pathlib import Path

import pytest

from embedded.terminal import Style, Terminal


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_file_gets_the_text_alone() -> None:
    file = io.StringIO()
    Terminal(file).say("muster is ready", Style.GOOD)
    assert file.getvalue() == "muster is ready\n"


def test_a_line_that_nobody_can_be_told_is_left_out() -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - it can't be closed in the usual way
    Terminal(full).say("muster is ready")
    with suppress(OSError):
        full.close()
    Terminal(None).say("muster is ready")


def test_a_terminal_gets_colour_that_ends_behind_the_line() -> None:
    screen = Screen()
    Terminal(screen).say("muster is ready", Style.GOOD)
    assert screen.getvalue() == "\x1b[1;32mmuster is ready\n\x1b[0m"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_colour_gets_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    screen = Screen()
    Terminal(screen).say("muster is ready", Style.GOOD)
    assert screen.getvalue() == "muster is ready\n"


def test_a_passing_line_is_replaced_and_cut_to_one_line() -> None:
    screen = Screen()
    terminal = Terminal(screen)
    terminal.show("downloading " + "x" * 200)
    terminal.say("Set up.")
    passing, _, stays = screen.getvalue().rpartition("\r\x1b[2K")
    assert "downloading xxx" in passing
    assert len(passing) < 100
    assert stays == "Set up.\n"


def test_a_file_gets_no_passing_line() -> None:
    file = io.StringIO()
    Terminal(file).show("downloading")
    assert file.getvalue() == ""
