"""Histories of the whole system in virtual time: whatever fails on the way, the promises hold."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulator import bugs, kept
from tests.simulator.__main__ import explain, fails_alike, seeds_of
from tests.simulator.history import Outcome, Simulator, simulator
from tests.simulator.shrink import Failure, shrink
from tests.simulator.workload import Plan, make_plan
from tests.simulator.world import Climate

FRESH_MINUTES = 10.0
MOST_TRIES = 200
MOST_LEFT = 5


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


def found_with(simulated: Simulator, bug: str) -> tuple[Plan, Outcome]:
    """The first plan, of those with nothing but lost connections, that finds the bug."""
    with bugs.put_in(bug):
        for seed in range(MOST_TRIES):
            plan = replace(make_plan(seed), takes_files=True, climate=Climate(("weather",), 0.03))
            outcome = simulated.run(plan)
            if outcome.broken:
                return plan, outcome
    raise AssertionError(f"{bug} is not found")


def test_kept_seeds_keep_every_promise(simulated: Simulator, tmp_path: Path) -> None:
    seeds = kept.seeds()
    assert len(seeds) == 100
    for seed in seeds:
        outcome = simulated.run(make_plan(seed))
        assert not outcome.broken, explain(simulated, seed, outcome, tmp_path)


@pytest.mark.parametrize("path", sorted(kept.DIRECTORY.glob("*.json")), ids=lambda path: path.stem)
def test_a_history_that_broke_a_promise_does_so_no_more(simulated: Simulator, path: Path) -> None:
    failure = kept.read(path)
    assert not simulated.run(failure.plan, failure.deviations).broken


def test_a_seed_decides_everything(simulated: Simulator) -> None:
    """Also in another process, whose sets have another order."""
    command = [sys.executable, "-m", "tests.simulator", "--seed", "77", "--digest"]
    said = {
        subprocess.run(command, env={"PYTHONHASHSEED": number}, capture_output=True).stdout
        for number in ("1", "2")
    }
    mine = simulated.run(make_plan(77), traced=True).digest
    assert {line.decode().strip() for line in said} == {mine}


def test_what_was_decided_can_be_replayed(simulated: Simulator) -> None:
    for seed in range(20):
        first = simulated.run(make_plan(seed), traced=True)
        again = simulated.run(make_plan(seed), first.deviations, traced=True)
        assert again.digest == first.digest


@pytest.mark.parametrize("bug", ["attempt-counted-twice", "load-data-hides-weather"])
def test_a_bug_of_old_is_found_and_shrunk_to_one_fault(
    simulated: Simulator, bug: str, tmp_path: Path
) -> None:
    plan, outcome = found_with(simulated, bug)
    with bugs.put_in(bug):
        simple = shrink(
            Failure(plan, outcome.deviations),
            lambda failure: fails_alike(simulated, outcome.promise, failure),
        )
        path = kept.write(simple, tmp_path, "found", outcome.promise)
        assert simulated.run(simple.plan, kept.read(path).deviations).promise == outcome.promise
    assert len(simple.deviations) <= MOST_LEFT


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("bug", sorted(bugs.BUGS))
def test_each_bug_is_found(simulated: Simulator, bug: str) -> None:
    with bugs.put_in(bug):
        tries = next(
            (
                number
                for number, seed in enumerate(range(10**6, 10**6 + 3000), 1)
                if simulated.run(make_plan(seed)).broken
            ),
            None,
        )
    print(f"{bug}: {bugs.BUGS[bug][0]}: found after {tries} histories")
    assert tries is not None


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_fresh_seeds_keep_every_promise(simulated: Simulator, tmp_path: Path) -> None:
    histories = 0
    for seed in seeds_of(None, FRESH_MINUTES):
        histories += 1
        outcome = simulated.run(make_plan(seed))
        assert not outcome.broken, explain(simulated, seed, outcome, tmp_path)
    print(f"{histories} histories")
