"""One history: what a plan and its choices decide, run to rest and held to the promises."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from dbuploader.scratch import Scratch
from tests.simulator import standins
from tests.simulator.choices import Choices
from tests.simulator.database import Server
from tests.simulator.model import Promises
from tests.simulator.people import People
from tests.simulator.system import System
from tests.simulator.workload import Plan
from tests.simulator.world import MOST_CALLS, Findings, World

_FAULTY_SECONDS = 150.0
_MOST_SECONDS = 3 * 3600.0
_LOOK_SECONDS = 4.0


@dataclass
class Outcome:
    """How a history ended: what it broke, and what was decided and counted on the way."""

    broken: list[str]
    deviations: dict[str, int]
    calls: int
    faults: Counter[str]
    uploads: int
    trace: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """A name for all that happened; histories that differ in anything have another."""
        told = [*self.trace, *self.broken, *self.ends, str(self.calls)]
        return sha256("\n".join(told).encode()).hexdigest()

    @property
    def promise(self) -> str:
        """The promise that was broken first, or nothing."""
        return self.broken[0].partition(":")[0] if self.broken else ""


class Simulator:
    """Runs histories, one after the other, on one database."""

    def __init__(self, scratch: Scratch) -> None:
        self._server = Server()
        self._scratch = scratch

    def run(
        self, plan: Plan, recorded: Mapping[str, int] | None = None, *, traced: bool = False
    ) -> Outcome:
        """Run the history; with `recorded` deviations it decides as it did then."""
        choices = Choices(plan.seed, recorded)
        world = World(plan.seed, choices, plan.climate)
        world.trace = [] if traced else None
        standins.Present.world = world
        self._server.empty(world)
        system = System(world, self._server, self._scratch, plan)
        people = People(world, system, plan)
        findings = Findings()
        promises = Promises(system, people, findings)
        world.on_delay = promises.look_on
        system.start()
        people.start()
        try:
            self._run_to_rest(world, system, people, findings)
            world.on_delay = _nothing
            promises.check()
        finally:
            world.calm = True
            world.scheduler.end()
        return Outcome(
            findings.broken,
            choices.deviations,
            world.calls,
            world.faults,
            len(system.data.uploads),
            world.trace or [],
            [
                f"{upload.id} {upload.state} {upload.rows} {upload.version}"
                for upload in system.data.in_order()
            ],
        )

    def _run_to_rest(
        self, world: World, system: System, people: People, findings: Findings
    ) -> None:
        scheduler = world.scheduler

        def is_over() -> bool:
            if findings.broken or world.calls > MOST_CALLS:
                return True
            return not people.busy and system.is_at_rest()

        scheduler.run(is_over, _FAULTY_SECONDS)
        world.heal()
        scheduler.run(is_over, _MOST_SECONDS)
        findings.expect(is_over() and world.calls <= MOST_CALLS, "it comes to rest", "it does not")


def _nothing() -> None:
    pass


@contextmanager
def simulator() -> Iterator[Simulator]:
    """One, with all that stands in for as long."""
    with TemporaryDirectory() as directory, Scratch(Path(directory)) as scratch:
        simulated = Simulator(scratch)
        with standins.installed():
            yield simulated
