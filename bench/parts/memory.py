"""Peak memory and time by the size of the file, each load on new processes."""

from dataclasses import dataclass
from functools import partial

from bench.employment import EmploymentDatabase
from bench.figures import Comparison, Figure, Series, at_most
from bench.hires import write_hires
from bench.interleaving import interleaved
from bench.memory import peak_memory
from bench.part import Answer, Plan
from bench.servers import describe_servers, durable_servers, running_suite
from bench.uploading import load, load_parents
from tests.e2e.families import Family

_SMALL = 1000
_SERVICES = ("dbuploader-consumer", "gateway")


@dataclass(frozen=True)
class _Run:
    """Seconds from POST to `completed`, and what the services took at most, in MiB."""

    seconds: float
    memory: dict[str, float]

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.memory}"


def measure(plan: Plan) -> Answer:
    """Load 1,000 hires, `plan.hires`, and ten times as many."""
    sizes = (_SMALL, plan.hires, 10 * plan.hires)
    for hires in sizes:
        write_hires(plan.directory / f"{hires}.csv", hires)
    with durable_servers(plan.directory / "servers") as family:
        url = family.environment["MUSTER_EMPLOYMENT_DATABASE_URL"]
        turns = {f"{hires:,} hires": partial(_run, plan, family, url, hires) for hires in sizes}
        found = interleaved(plan.runs, turns)
        with EmploymentDatabase(url) as database:
            settings = (describe_servers(family), database.settings())
    return Answer("Memory and time by size", _figures(found), (*settings, *_CONDITIONS))


_CONDITIONS = (
    "Each load has new processes of all services, an empty table and a server at rest, and finds "
    "departments and jobs as they were.",
    "A service's memory is the greatest resident set (VmHWM) of each of its processes, added up.",
)


def _run(plan: Plan, family: Family, url: str, hires: int) -> _Run:
    with running_suite(family) as (suite, client):
        load_parents(client, plan.samples)
        with EmploymentDatabase(url) as database:
            database.empty_hires()
            database.settle()
        loaded = load(client, plan.directory / f"{hires}.csv", inserted=hires)
        return _Run(
            loaded.final, {service: peak_memory(suite.pid(service)) for service in _SERVICES}
        )


def _figures(found: dict[str, list[_Run]]) -> tuple[Figure, ...]:
    small, middle, large = found
    return (
        *(_more(service, found, size, small) for service in _SERVICES for size in (middle, large)),
        Figure(
            f"{large}: POST to `completed`, against {middle}",
            Series("s", tuple(run.seconds for run in found[large])),
            Series("s", tuple(run.seconds for run in found[middle])),
            Comparison.RATIO,
            at_most(12),
        ),
    )


def _more(service: str, found: dict[str, list[_Run]], size: str, small: str) -> Figure:
    title = f"{size}: peak RSS of {service}, against {small}"
    large, least = (
        Series("MiB", tuple(run.memory[service] for run in found[each])) for each in (size, small)
    )
    return Figure(title, large, least, Comparison.MORE, at_most(64))
