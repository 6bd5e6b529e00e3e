"""A command for the tests of what is forked: says in JSON what it is, or ends as it is told to."""

import atexit
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path


def itself() -> dict[str, object]:
    """What a process can say of itself, but for what is never the same in two."""
    return {
        "name": __name__,
        "arguments": sys.argv,
        "command": sys.orig_argv,
        "environment": {**os.environ},
        "directory": str(Path.cwd()),
        "path": sys.path,
        "input": str(Path("/proc/self/fd/0").readlink()),
        "descriptors": descriptors(),
        "leads": os.getsid(0) == os.getpid() == os.getpgid(0),
        "parent": os.getppid(),
        "threads": len([*Path("/proc/self/task").iterdir()]),
        "signals": {number: str(signal.getsignal(number)) for number in (1, 2, 13, 15, 17)},
        "mask": str(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "umask": os.umask(0o22),
    }


def descriptors() -> list[int]:
    """But for the one that they are read from, and that of itself which libffi keeps for ctypes."""
    files = {
        int(entry.name): entry.readlink()
        for entry in Path("/proc/self/fd").iterdir()
        if entry.exists()
    }
    return sorted(number for number, file in files.items() if "libffi" not in file.name)


def chance() -> dict[str, object]:
    """What no two processes may have in common."""
    with tempfile.NamedTemporaryFile() as file:
        return {
            "random": random.random(),
            "uuid": str(uuid.uuid4()),
            "file": file.name,
            "sqlite": sqlite3.connect(":memory:").execute("SELECT random()").fetchone()[0],
            "bytes": os.urandom(8).hex(),
        }


def finish() -> None:
    time.sleep(0.1)
    print("thread finished", flush=True)


def main(what: str) -> None:
    """Do it."""
    if what in ("itself", "chance"):
        print(json.dumps(globals()[what]()))
    elif what == "sleep":
        print("sleeps", flush=True)
        time.sleep(600)
    elif what == "finish":
        atexit.register(lambda: print("at exit"))
        threading.Thread(target=finish).start()
    elif what == "fail":
        raise RuntimeError("it failed")
    else:
        sys.exit(int(what) if what.isdecimal() else what)


if __name__ == "__main__":
    main(*sys.argv[1:])
