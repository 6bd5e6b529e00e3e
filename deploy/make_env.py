"""`make env`: writes `.env` for Docker Compose, with secrets of its own.

`python deploy/make_env.py [FILE]`. A file that exists stays as it is.
"""

import os
import re
import secrets
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / ".env.example"
_SECRET = re.compile(r"^(\w+)=$", re.MULTILINE)
_BYTES = 24


def with_secrets(example: str) -> str:
    """`example` with a random value for each name that has none: hexadecimal, as URLs take it."""
    return _SECRET.sub(lambda match: f"{match[1]}={secrets.token_hex(_BYTES)}", example)


def write_env(path: Path) -> bool:
    """Make the file `path`, readable by nobody else; returns whether it was not there before."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(with_secrets(EXAMPLE.read_text("utf-8")))
    return True


def main() -> None:
    """Make the file named on the command line, or `.env`, and say what was done."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ".env")
    print(f"{path} is made, with random secrets" if write_env(path) else f"{path} is kept as it is")


if __name__ == "__main__":
    main()
