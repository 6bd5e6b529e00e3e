"""Large files of hires of other shapes, on MariaDB and on MySQL, against the bare command."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from bench.employment import EmploymentDatabase
from bench.figures import Comparison, Figure, Series, Target, at_most
from bench.hires import Shape, write_hires
from bench.interleaving import interleaved
from bench.memory import peak_memory
from bench.part import Answer, Plan
from bench.peers import load_data
from bench.servers import (
    describe_servers,
    durable_servers,
    durable_servers_with_mysql,
    running_suite,
)
from bench.timing import Reading, series_of
from bench.uploading import load
from embedded.client import Client
from tests.e2e.families import Family

_USUAL: Mapping[str, Shape] = {
    "one year": Shape(),
    "five years": Shape(5),
    "five years, ids in no order": Shape(5, shuffled=True),
}
_RATIO = at_most(1.1)
_MORE_MEMORY = at_most(96)
_DEPARTMENTS, _JOBS = 1000, 500
_MANY = "five years, 1,000 departments, 500 jobs"
_SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[Family]]] = {
    "MariaDB": durable_servers,
    "MySQL": durable_servers_with_mysql,
}
_CONSUMER = "dbuploader-consumer"


def measure(plan: Plan) -> Answer:
    """Load `plan.hires` of each shape, ours and the bare command in turns, on each server."""
    for name, shape in _shapes().items():
        write_hires(_path(plan, name), plan.hires, shape)
    figures: list[Figure] = []
    conditions: list[str] = []
    for server, servers in _SERVERS.items():
        with servers(plan.directory / server) as family:
            found, settings = _measure_on(family, plan)
        figures += _figures(server, found)
        conditions += settings
    return Answer(f"{plan.hires:,} hires of other shapes", tuple(figures), (*conditions, _ALIKE))


_ALIKE = (
    "Ours is the time from the POST to the final state, the bare command one `LOAD DATA LOCAL "
    "INFILE` of the same file into the same table: freshly truncated, with the server at rest."
)


def _shapes() -> dict[str, Shape]:
    return {**_USUAL, _MANY: Shape(5, departments=_DEPARTMENTS, jobs=_JOBS)}


def _measure_on(family: Family, plan: Plan) -> tuple[dict[str, Series], tuple[str, ...]]:
    url = family.environment["MUSTER_EMPLOYMENT_DATABASE_URL"]
    found: dict[str, Series] = {}
    with running_suite(family) as (suite, client), EmploymentDatabase(url) as database:
        _load_parents(client, plan.directory)
        pid = suite.pid(_CONSUMER)
        found["idle"] = Series("MiB", (peak_memory(pid),))
        # Nearly as many rows of the summary as of hires take the most memory: they come last.
        for names, peak in ((tuple(_USUAL), "usual"), ((_MANY,), "many")):
            turns: dict[str, Callable[[], Reading]] = {}
            for name in names:
                path = _path(plan, name)
                turns[f"raw, {name}"] = partial(_raw, database, path)
                turns[name] = partial(_ours, database, client, path, plan.hires)
            readings = interleaved(plan.runs, turns)
            found |= {name: series_of("s", some) for name, some in readings.items()}
            found[peak] = Series("MiB", (peak_memory(pid),))
        return found, (describe_servers(family), database.settings())


def _raw(database: EmploymentDatabase, path: Path) -> Reading:
    database.empty_hires()
    database.settle()
    return Reading(load_data(database, path))


def _ours(database: EmploymentDatabase, client: Client, path: Path, hires: int) -> Reading:
    database.empty_hires()
    database.settle()
    return Reading(load(client, path, inserted=hires).final)


def _figures(server: str, found: Mapping[str, Series]) -> list[Figure]:
    def ratio(name: str, target: Target | None) -> Figure:
        raw = found[f"raw, {name}"]
        return Figure(f"{server}: {name}", found[name], raw, Comparison.RATIO, target)

    def memory(which: str, peak: str, target: Target | None) -> Figure:
        title = f"{server}: peak RSS of {_CONSUMER} after {which}, against idle"
        return Figure(title, found[peak], found["idle"], Comparison.MORE, target)

    return [
        *(ratio(name, _RATIO) for name in _USUAL),
        memory("these", "usual", _MORE_MEMORY),
        ratio(_MANY, None),
        memory("this as well", "many", None),
    ]


def _load_parents(client: Client, directory: Path) -> None:
    for table, count in (("departments", _DEPARTMENTS), ("jobs", _JOBS)):
        path = directory / f"{table}.csv"
        path.write_text("".join(f"{id_},{table} {id_}\n" for id_ in range(1, count + 1)))
        client.wait(client.upload(path.name, path)["id"])


def _path(plan: Plan, name: str) -> Path:
    return plan.directory / f"{name.replace(' ', '-')}.csv"
