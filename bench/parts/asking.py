"""Both hiring questions through the gateway: by the number of hires, and against a bare route."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlsplit

from bench.bare import serving
from bench.employment import EmploymentDatabase
from bench.figures import Comparison, Figure, at_least, at_most
from bench.hires import write_hires
from bench.interleaving import interleaved
from bench.part import Answer, Plan
from bench.servers import describe_servers, durable_servers, running_suite
from bench.timing import Reading, median_seconds, series_of
from bench.uploading import load, load_parents
from embedded.client import Client

QUESTIONS = ("hires-by-quarter", "departments-above-mean")
_REPEATS = 50
_CLIENTS = 8
_SECONDS = 3.0


def measure(plan: Plan) -> Answer:
    """Ask with the sample's hires, then with ten times `plan.hires`; then as often as possible."""
    large = plan.directory / "hired_employees.csv"
    write_hires(large, 10 * plan.hires)
    with durable_servers(plan.directory / "servers") as family:
        url = family.environment["MUSTER_EMPLOYMENT_DATABASE_URL"]
        with running_suite(family) as (_, client), EmploymentDatabase(url) as database:
            load_parents(client, plan.samples)
            sample = plan.samples / "hired_employees.csv"
            client.wait(client.upload(sample.name, sample)["id"])
            few = _ask_in_turns(plan.runs, client)
            rates = _rates(plan, client)
            database.empty_hires()
            load(client, large, inserted=10 * plan.hires)
            database.settle()
            many = _ask_in_turns(plan.runs, client)
        settings = (describe_servers(family),)
    figures = (*_by_size(10 * plan.hires, few, many), *_by_rate(rates))
    return Answer("Asking", figures, (*settings, *_CONDITIONS))


_CONDITIONS = (
    f"A question's time in a run is the median of {_REPEATS}, asked one after the other. The runs "
    "with few hires come before those with many, for a table is loaded once.",
    f"The rate is that of {_CLIENTS} clients that keep their connections and ask the same for "
    f"{_SECONDS:g} s, with a token. The bare route hands out the same bytes without asking who "
    "asks, on gunicorn with the services' settings. With so many asking at once, the gateway asks "
    "the service behind once for those who came while it was busy.",
)


def _ask_in_turns(runs: int, client: Client) -> dict[str, list[Reading]]:
    return interleaved(runs, {name: partial(_time_of, name, client) for name in QUESTIONS})


def _time_of(question: str, client: Client) -> Reading:
    return Reading(1000 * median_seconds(_REPEATS, partial(client.query, question, 2021)))


def _rates(plan: Plan, client: Client) -> dict[str, list[Reading]]:
    headers = {"Authorization": str(client.session.headers["Authorization"])}
    urls = {name: f"{client.url}/v1/queries/{name}?year=2021" for name in QUESTIONS}
    body = plan.directory / "answer.json"
    body.write_bytes(client.session.get(urls["departments-above-mean"]).content)
    with serving(body) as bare:
        turns = {name: partial(_rate_of, url, headers) for name, url in urls.items()}
        return interleaved(plan.runs, {**turns, "bare": partial(_rate_of, bare, {})})


def _rate_of(url: str, headers: Mapping[str, str]) -> Reading:
    began = time.monotonic()
    with ThreadPoolExecutor(_CLIENTS) as clients:
        counts = [
            clients.submit(_ask_until, began + _SECONDS, url, headers) for _ in range(_CLIENTS)
        ]
        answers = sum(count.result() for count in counts)
    return Reading(answers / (time.monotonic() - began))


def _ask_until(end: float, url: str, headers: Mapping[str, str]) -> int:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc)
    answers = 0
    while time.monotonic() < end:
        connection.request("GET", f"{parts.path}?{parts.query}", headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{url} answered {answer.status}")
        answers += 1
    connection.close()
    return answers


def _by_size(
    hires: int, few: dict[str, list[Reading]], many: dict[str, list[Reading]]
) -> list[Figure]:
    return [
        Figure(
            f"{name} of {hires:,} hires, against 1,999",
            series_of("ms", many[name]),
            series_of("ms", few[name]),
            Comparison.RATIO,
            at_most(1.5),
        )
        for name in QUESTIONS
    ]


def _by_rate(rates: dict[str, list[Reading]]) -> list[Figure]:
    bare = series_of("answers/s", rates["bare"])
    return [
        Figure(
            f"{name}, answers to {_CLIENTS} clients, against a bare Flask route",
            series_of("answers/s", rates[name]),
            bare,
            Comparison.RATIO,
            at_least(0.5) if name == "departments-above-mean" else None,
        )
        for name in QUESTIONS
    ]
