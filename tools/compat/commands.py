"""Commands, with what they say in a file of its own."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded import lifeline

ROOT = Path(__file__).parents[2]
_TAIL_LINES = 40


class CommandFailed(Exception):
    """A command ended with a status other than 0, or not in time; the message says what it said."""


def capture(*argv: str) -> str:
    """What the command printed, run in the root of the checkout; raises CommandFailed."""
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(f"{argv[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def run(argv: Sequence[str], log: Path, environment: Mapping[str, str], seconds: float) -> int:
    """Run the command, with all that it says in `log`; returns its status.

    Raises CommandFailed if it takes longer.
    """
    with running(argv, log, environment) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"did not end in {seconds:.0f} s\n{tail(log)}") from error


@contextmanager
def running(
    argv: Sequence[str], log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Have the command run, until the block or this process ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            lifeline.command(signal.SIGKILL, argv),
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def tail(log: Path) -> str:
    """The last lines of a log, and where it is."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([*lines[-_TAIL_LINES:], f"The whole of it is in {log}"])
