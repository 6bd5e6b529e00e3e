"""The tables that faults are held against, as the docs have them: errors, and crash points."""

import re
from pathlib import Path
from typing import NamedTuple

_DOCS = Path(__file__).parents[2] / "docs"
_ROW = re.compile(r"^\| (.+?) \| (\d+)(?: `(\w+)`)? \| (.+?) \| (.+?) \|$", re.MULTILINE)


class Row(NamedTuple):
    """An error: of what, its number and name, what it means, and why in words."""

    of: str
    number: int
    name: str
    means: str
    why: str


WEATHER_TABLE = [
    Row(of, int(number), name, means, why)
    for of, number, name, means, why in _ROW.findall(
        (_DOCS / "weather.md").read_text(encoding="utf-8")
    )
]

_CRASH_ROW = re.compile(r"^\| ([\w, ]+): ((?:`[^`]+`(?:, )?)+) \|", re.MULTILINE)
_PROCESSES = {
    "auth": "auth",
    "gateway": "gateway",
    "relay": "gateway-relay",
    "loader": "dbuploader-consumer",
    "notification": "notification-consumer",
    "webhooks": "notification-webhooks",
}
_FAMILIES = {
    "on servers": "servers",
    "embedded": "embedded",
    "in an erasure": "erasure",
    "in a digest": "digest",
    "of those behind one": "behind",
    "in an account email": "account-email",
}


def crash_table(*families: str) -> dict[str, set[str]]:
    """The calls of which docs/guarantees.md says what is true after a death there, by process.

    `families` are "servers", "embedded", "erasure", "digest", "behind" and "account-email".
    """
    table: dict[str, set[str]] = {process: set() for process in _PROCESSES.values()}
    page = (_DOCS / "guarantees.md").read_text("utf-8")
    for where, calls in _CRASH_ROW.findall(page):
        *names, last = where.split(", ")
        if last not in _FAMILIES or _FAMILIES[last] in families:
            for name in names if last in _FAMILIES else [*names, last]:
                table[_PROCESSES[name]] |= {*re.findall("`([^`]+)`", calls)}
    return table
