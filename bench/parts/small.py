"""Small files: one that is waited for, and many of a few rows from several clients at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from bench.figures import Figure, at_least, at_most
from bench.interleaving import interleaved
from bench.part import Answer, Plan
from bench.servers import ADMIN, describe_servers, durable_servers, running_suite
from bench.timing import Reading, median_seconds, series_of
from bench.uploading import NotAsExpected, load_parents
from embedded.client import Client, Json
from embedded.suite_process import SuiteProcess

_REPEATS = 15
_CLIENTS = 8
_FILES, _ROWS = 500, 20


def measure(plan: Plan) -> Answer:
    """Upload the sample of hires again and again, and many files of 20 new hires each."""
    with durable_servers(plan.directory / "servers") as family:
        with running_suite(family) as (suite, client):
            load_parents(client, plan.samples)
            ids = count(10_000_000)
            found = interleaved(
                plan.runs,
                {
                    "one": lambda: _wait_for_one(client, plan.samples / "hired_employees.csv"),
                    "many": lambda: _send_many(suite, ids),
                },
            )
        settings = describe_servers(family)
    return Answer("Small files", _figures(found), (settings, *_CONDITIONS))


_CONDITIONS = (
    f"The time of one file in a run is the median of {_REPEATS}, each sent with `Prefer: wait` "
    "on a connection that is kept; after the first time its rows are there already.",
    "The rate of many is counted from the first POST to the moment at which the last is final.",
)


def _figures(found: dict[str, list[Reading]]) -> tuple[Figure, ...]:
    one = series_of("ms", found["one"])
    many = series_of("uploads/s", found["many"])
    return (
        Figure("the sample of 1,999 hires, POST to final", one, target=at_most(150)),
        Figure(
            f"{_FILES} uploads of {_ROWS} rows, {_CLIENTS} clients, finished",
            many,
            target=at_least(40),
        ),
    )


def _wait_for_one(client: Client, path: Path) -> Reading:
    content = path.read_bytes()

    def wait() -> None:
        answer = client.session.post(
            f"{client.url}/v1/uploads",
            params={"filename": path.name},
            headers={"Content-Type": "text/csv", "Prefer": "wait=30"},
            data=content,
        )
        if answer.status_code != 200:
            raise NotAsExpected(answer.text)

    return Reading(1000 * median_seconds(_REPEATS, wait))


def _send_many(suite: SuiteProcess, ids: Iterator[int]) -> Reading:
    files = iter([_file(ids) for _ in range(_FILES)])
    shares = [[next(files) for _ in range(_FILES // _CLIENTS)] for _ in range(_CLIENTS)]
    shares[0].extend(files)
    began = datetime.now(UTC)
    with ThreadPoolExecutor(_CLIENTS) as clients:
        sent = [clients.submit(_send, suite, share) for share in shares]
        finished = [upload for future in sent for upload in future.result()]
    for upload in finished:
        if upload["rows"]["inserted"] != _ROWS:
            raise NotAsExpected(str(upload))
    last = max(datetime.fromisoformat(upload["finished_at"]) for upload in finished)
    return Reading(_FILES / (last - began).total_seconds())


def _send(suite: SuiteProcess, files: list[bytes]) -> list[Json]:
    with Client(suite.url, ADMIN, suite.admin_password()) as client:
        accepted = [client.upload("hired_employees.csv", content) for content in files]
        return [client.wait(upload["id"], 600) for upload in reversed(accepted)]


def _file(ids: Iterator[int]) -> bytes:
    rows = (
        f"{next(ids)},Hire,2021-03-{day + 1:02}T10:00:00Z,{day % 12 + 1},{day + 1}\r\n"
        for day in range(_ROWS)
    )
    return "".join(rows).encode()
