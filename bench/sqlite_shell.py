"""The peer of the embedded default: `.import` of the `sqlite3` shell, into tables of the same make.

It checks nothing of what it reads: the shell leaves foreign keys off, too.
"""

import os
import subprocess
import time
from contextlib import closing
from pathlib import Path

from dbuploader.migrations import migrate
from muster.database import open_database

SHELL = "sqlite3"


def import_hires(database: Path, samples: Path, hires: Path) -> float:
    """Seconds for the file of hires, by one process, until it is durable.

    `database` is made, with the departments and jobs of `samples`.
    """
    with closing(open_database(f"sqlite:///{database}")) as port:
        migrate(port)
    for table in ("departments", "jobs"):
        _import(database, table, samples / f"{table}.csv")
    os.sync()
    began = time.monotonic()
    _import(database, "hired_employees", hires)
    return time.monotonic() - began


def _import(database: Path, table: str, path: Path) -> None:
    commands = f"PRAGMA synchronous=FULL;\n.mode csv\n.import {path} {table}\n"
    subprocess.run([SHELL, "-bail", database], input=commands, text=True, check=True)
