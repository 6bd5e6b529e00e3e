"""`python -m tests.simulator`: runs histories, and says how many, how fast, and which fail.

A failing one is shrunk, shown, and kept in a file that `--replay` runs again.
"""

import secrets
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

# Before anything that imports pyarrow.
import mysql.connector  # noqa: F401

from tests.simulator import bugs, kept
from tests.simulator.history import Outcome, Simulator, simulator
from tests.simulator.shrink import Failure, shrink
from tests.simulator.workload import make_plan


class Tally:
    """What was run so far."""

    def __init__(self) -> None:
        self._began = time.process_time()
        self.histories = self.calls = self.uploads = 0
        self.faults: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count a history."""
        self.histories += 1
        self.calls += outcome.calls
        self.uploads += outcome.uploads
        self.faults += outcome.faults

    def __str__(self) -> str:
        minutes = (time.process_time() - self._began) / 60

        def rate(number: int) -> str:
            return f"{number:,} ({number / minutes:,.0f} a minute)"

        return (
            f"histories {rate(self.histories)}, uploads {rate(self.uploads)}, "
            f"steps {rate(self.calls)}, faults {rate(self.faults.total())}\n"
            f"{dict(self.faults.most_common())}"
        )


def fails_alike(simulated: Simulator, promise: str, failure: Failure) -> bool:
    """Whether the history breaks that promise."""
    return simulated.run(failure.plan, failure.deviations).promise == promise


def explain(simulated: Simulator, seed: int, outcome: Outcome, directory: Path) -> str:
    """Shrink what failed, keep it, and tell it."""
    failure = Failure(make_plan(seed), outcome.deviations)
    simple = shrink(failure, lambda other: fails_alike(simulated, outcome.promise, other))
    path = kept.write(simple, directory, f"seed-{seed}", outcome.promise)
    told = simulated.run(simple.plan, simple.deviations, traced=True)
    deeds = [str(deed) for deed in simple.plan.deeds]
    return "\n".join(
        [f"seed {seed} breaks a promise; kept in {path}", *deeds, *told.trace, *told.broken]
    )


def seeds_of(seed: int | None, minutes: float) -> Iterator[int]:
    """The one seed, or fresh ones for so long."""
    if seed is not None:
        yield seed
        return
    deadline = time.monotonic() + minutes * 60
    first = secrets.randbelow(2**40)
    print(f"first seed {first}", flush=True)
    for number in count(first):
        if time.monotonic() > deadline:
            return
        yield number


def main() -> None:
    """Run what the command line says; end with status 1 if a promise was broken."""
    parser = ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, help="this history alone")
    parser.add_argument("--minutes", type=float, default=1.0, help="fresh ones for so long")
    parser.add_argument("--replay", type=Path, help="a history that was kept")
    parser.add_argument("--digest", action="store_true", help="print what names the history")
    parser.add_argument("--bug", choices=sorted(bugs.BUGS), help="with this bug put in")
    parser.add_argument("--keep", type=Path, default=Path("build/simulator"), help="where to keep")
    arguments = parser.parse_args()
    tally, failed = Tally(), False
    with simulator() as simulated, bugs.put_in(arguments.bug):
        if arguments.replay:
            failure = kept.read(arguments.replay)
            outcome = simulated.run(failure.plan, failure.deviations, traced=True)
            print(*outcome.trace, *outcome.broken, sep="\n")
            sys.exit(bool(outcome.broken))
        if arguments.digest:
            print(simulated.run(make_plan(arguments.seed), traced=True).digest)
            return
        for seed in seeds_of(arguments.seed, arguments.minutes):
            outcome = simulated.run(make_plan(seed))
            tally.add(outcome)
            if outcome.broken:
                failed = True
                print(explain(simulated, seed, outcome, arguments.keep), flush=True)
                if arguments.bug:
                    break
    print(tally)
    sys.exit(failed)


if __name__ == "__main__":
    main()
