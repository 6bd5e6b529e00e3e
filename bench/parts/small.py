"""Small files on three sets of backends: one that is waited for, and many of a few rows at once."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from bench.figures import Figure, Target, at_least, at_most
from bench.interleaving import interleaved
from bench.part import Answer, Plan
from bench.servers import (
    ADMIN,
    describe_servers,
    durable_servers,
    mail_thrown_away,
    mysql_and_files,
    no_servers,
    running_suite,
)
from bench.timing import Reading, median_seconds, series_of
from bench.uploading import (
    SMALL_ROWS,
    NotAsExpected,
    load_parents,
    seconds_of_small,
    small_file,
    wait_for,
)
from embedded.client import Client, Json
from embedded.suite_process import SuiteProcess
from tests.e2e.families import Family
from tests.e2e.pausing import paused

_REPEATS = 15
_CLIENTS = 8
_MANY, _BACKLOG = 500, 5000
_LOADER = "dbuploader-consumer"
_FINAL_SECONDS = 1200.0


@dataclass(frozen=True)
class _Setup:
    """Backends, and what is wanted of them: uploads a second, ms for one, s for the backlog."""

    servers: Callable[[Path], AbstractContextManager[Family]]
    rate: Target
    one: Target | None = None
    backlog: Target | None = None


_SETUPS: Mapping[str, _Setup] = {
    "embedded": _Setup(no_servers, at_least(200), at_most(20), at_most(30)),
    "MySQL, RabbitMQ, files": _Setup(mysql_and_files, at_least(150)),
    "MariaDB, RabbitMQ, SecantusDB": _Setup(durable_servers, at_least(45)),
}


def measure(plan: Plan) -> Answer:
    """Upload small files to a suite on each set of backends, in turns."""
    ids = count(10_000_000)
    turns: dict[str, Callable[[], Reading]] = {}
    conditions: list[str] = []
    with ExitStack() as stack:
        for number, (name, setup) in enumerate(_SETUPS.items()):
            family = stack.enter_context(setup.servers(plan.directory / str(number)))
            if family.servers:
                family = stack.enter_context(mail_thrown_away(family))
            suite, client = stack.enter_context(running_suite(family))
            load_parents(client, plan.samples)
            turns[f"{name}: {_SAMPLE}"] = partial(_wait_for_sample, client, plan.samples)
            turns[f"{name}: {_ONE}"] = partial(_wait_for_one, client, ids)
            turns[f"{name}: {_CROWD}"] = partial(_send_many, suite, ids)
            if setup.backlog is not None:
                turns[f"{name}: {_QUEUE}"] = partial(_load_backlog, suite, ids)
            if family.servers:
                conditions.append(f"{name}: {describe_servers(family)}")
        found = interleaved(plan.runs, turns)
    figures = [
        Figure(f"{name}: {what}", series_of(unit, found[f"{name}: {what}"]), target=target)
        for name, setup in _SETUPS.items()
        for what, unit, target in (
            (_SAMPLE, "ms", at_most(150)),
            (_ONE, "ms", setup.one),
            (_CROWD, "uploads/s", setup.rate),
            (_QUEUE, "s", setup.backlog),
        )
        if f"{name}: {what}" in found
    ]
    return Answer("Small files", tuple(figures), (*conditions, *_CONDITIONS))


_SAMPLE = "the sample of 1,999 hires, POST to final"
_ONE = f"one upload of {SMALL_ROWS} rows, POST to final"
_CROWD = f"{_MANY} uploads of {SMALL_ROWS} rows, {_CLIENTS} clients, finished"
_QUEUE = f"{_BACKLOG:,} uploads of {SMALL_ROWS} rows that wait, until all are final"

_CONDITIONS = (
    f"The time of one file in a run is the median of {_REPEATS}, each sent with `Prefer: wait` "
    "on a connection that is kept. The rows of the sample are there already after the first time.",
    "The rate of many is counted from the first POST to the moment at which the last is final; the "
    "clients have logged in before.",
    "The uploads that wait were accepted while the loader stood still; its time is counted from "
    "the moment at which it goes on.",
    "Beside servers, mail goes to one that takes it and keeps nothing, as the tests' own, which is "
    "written in Python, takes as much of the cores as a service. Without, it goes to a directory.",
    "The suites and servers of all sets run all the time; one at a time has work.",
)


def _wait_for_sample(client: Client, samples: Path) -> Reading:
    content = (samples / "hired_employees.csv").read_bytes()
    return Reading(1000 * median_seconds(_REPEATS, lambda: wait_for(client, content)))


def _wait_for_one(client: Client, ids: Iterator[int]) -> Reading:
    return Reading(1000 * seconds_of_small(client, ids, _REPEATS))


def _send_many(suite: SuiteProcess, ids: Iterator[int]) -> Reading:
    with _crowd(suite) as clients:
        contents = [small_file(ids) for _ in range(_MANY)]
        began = datetime.now(UTC)
        accepted = _accepted(clients, contents)
    return Reading(_MANY / _seconds_until_final(suite, accepted, began))


def _load_backlog(suite: SuiteProcess, ids: Iterator[int]) -> Reading:
    with _crowd(suite) as clients, paused(suite.pid(_LOADER)):
        accepted = _accepted(clients, [small_file(ids) for _ in range(_BACKLOG)])
        began = datetime.now(UTC)
    return Reading(_seconds_until_final(suite, accepted, began))


@contextmanager
def _crowd(suite: SuiteProcess) -> Iterator[list[Client]]:
    """Clients that are logged in: a login costs as much as several uploads."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(Client(suite.url, ADMIN, suite.admin_password()))
            for _ in range(_CLIENTS)
        ]


def _accepted(clients: list[Client], contents: list[bytes]) -> list[Json]:
    """Uploads of the files, sent by all clients at once, each on a connection of its own."""

    def send(client: Client, share: list[bytes]) -> list[Json]:
        return [client.upload("hired_employees.csv", content) for content in share]

    with ThreadPoolExecutor(len(clients)) as threads:
        shares = (contents[first :: len(clients)] for first in range(len(clients)))
        return [upload for sent in threads.map(send, clients, shares) for upload in sent]


def _seconds_until_final(suite: SuiteProcess, accepted: list[Json], began: datetime) -> float:
    """From `began` until the last is final. Raises NotAsExpected if one lacks a row."""
    with Client(suite.url, ADMIN, suite.admin_password()) as client:
        # The last one first: those before it are final by then, and need no wait.
        latest = sorted(accepted, key=lambda upload: str(upload["submitted_at"]), reverse=True)
        finished = [client.wait(upload["id"], _FINAL_SECONDS) for upload in latest]
    for upload in finished:
        if upload["rows"]["inserted"] != SMALL_ROWS:
            raise NotAsExpected(str(upload))
    last = max(datetime.fromisoformat(upload["finished_at"]) for upload in finished)
    return (last - began).total_seconds()
