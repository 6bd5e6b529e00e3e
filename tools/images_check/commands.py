"""Running the commands of others."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


class CommandFailed(Exception):
    """A command ended with a status other than 0; the message is what it said."""


def run(
    *argv: str,
    environment: Mapping[str, str] | None = None,
    timeout: float = 1800,
    user_sees: bool = False,
    with_errors: bool = False,
    text: str | None = None,
) -> str:
    """What the command printed, run in the root of the checkout; raises CommandFailed.

    It reads `text`, or else nothing.

    What it writes to standard error is in the message of a failure, and in what is returned only
    `with_errors`. With `user_sees` it prints to this process's output instead, and "" is returned.
    """
    pipe = None if user_sees else subprocess.PIPE
    errors = subprocess.STDOUT if with_errors else subprocess.PIPE
    try:
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env=environment,
            input=text or "",
            stdout=pipe,
            stderr=None if user_sees else errors,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(argv)} did not end in {timeout:.0f} s") from error
    if done.returncode != 0:
        said = (done.stdout or "") + (done.stderr or "")
        raise CommandFailed(f"{' '.join(argv)} ended with {done.returncode}\n{said}")
    return (done.stdout or "").strip()
