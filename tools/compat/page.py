"""Writes what the platforms showed as a page for people."""

from collections.abc import Iterator, Sequence

from tools.compat.platforms import BY_WORKFLOW
from tools.compat.records import Cost, Record

_HEAD = (
    "system",
    "Python",
    "OpenSSL",
    "servers",
    "passed",
    "skipped",
    "failed",
    "`make test`",
    "`make demo`",
    "run",
)
_INTRODUCTION = """\
# Platforms

Written by `make compat`, as root on Debian: do not edit it. For each row a minimal Debian is made
new, with no more in it than Python, its venv module, git and make; the commit is cloned; and
`make demo` and `make test` are typed, as the README has them. `make compat ONLY=debian13` tries one
system, and leaves the other rows as they are.
"""
_COSTS = """\
`make demo` starts from nothing, and `make test` from what it leaves. The time is that of all that
they download and install, too: Python's packages from the index, Debian's from a cache. The size is
all that they add to the disk. Some tests start and kill a server of their own, which is Debian's,
whatever the row's servers are.
"""
_BY_WORKFLOW = """\
## By the workflow

Debian has no package of these, so `make compat` does not run them, and no row above stands for
them. The workflow alone tries them, `.github/workflows/ci.yml`:
"""

_BY_CHAOS = """\
## By `make chaos`

MySQL 9.7 as a replication group of three with one primary, whose secondaries answer questions
(`tests/e2e/test_mysql_group.py`, `tests/contract/test_mysql_replicas.py`), where a `mysqld` of
MySQL is on the path or `make bench` has installed one. Elsewhere that is skipped.
"""


def as_markdown(records: Sequence[Record]) -> str:
    """The page: a row for each platform, what each skips, and what only the workflow tries."""
    return "\n".join(
        [
            _INTRODUCTION,
            "## Run by `make compat`",
            "",
            _line(_HEAD),
            _line(["---"] * len(_HEAD)),
            *(_line(_cells(record)) for record in records),
            "",
            _COSTS,
            "## What is skipped, and why",
            "",
            *(line for record in records for line in _skips(record)),
            *_failures(records),
            _BY_WORKFLOW,
            *(f"- {what}" for what in BY_WORKFLOW),
            "",
            _BY_CHAOS,
        ]
    )


def _cells(record: Record) -> Sequence[str]:
    outcomes = record.outcomes
    return (
        record.system,
        record.python,
        record.openssl,
        ", ".join(record.servers),
        f"{outcomes.passed:,}",
        f"{outcomes.skips:,}",
        f"{len(outcomes.failed):,}",
        _cost(record.test),
        f"{'' if record.demo_passed else 'failed, '}{_cost(record.demo)}",
        f"{record.run_on}, `{record.commit}`",
    )


def _cost(cost: Cost) -> str:
    return f"{cost.seconds:,} s, {cost.megabytes:,} MB"


def _skips(record: Record) -> Iterator[str]:
    title = _title(record)
    outcomes = record.outcomes
    if not outcomes.skipped:
        yield from (f"{title}: nothing.", "")
        return
    yield from (f"{title}:", "")
    for reason, files in sorted(outcomes.skipped.items()):
        listed = ", ".join(f"`{file}` {count:,}" for file, count in sorted(files.items()))
        yield f"- {reason}: {sum(files.values()):,} ({listed})"
    yield ""


def _failures(records: Sequence[Record]) -> Iterator[str]:
    """What failed."""
    lines = [
        f"- {_title(record)}: `{test}`" for record in records for test in record.outcomes.failed
    ]
    if lines:
        yield from ("## Failed", "", *lines, "")


def _title(record: Record) -> str:
    return f"{record.system} with {', '.join(record.servers)}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
