"""A fault, or a kill, at each call that an undo makes of its ports, one after the other."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from muster.contracts.uploads import State, UndoCounts, Upload
from tests.unit.dbuploader.suite import Killed, Suite
from tests.unit.dbuploader.uploads.test_faults_at_each_call import Loads, mistake, weather_on

COUNTS = UndoCounts(written=4, restored=1, removed=1, kept=1, blocked=1)
# `make chaos` tries all of the calls.
SAMPLED = 15


class Undos(Loads):
    """One undo after the other, each of an upload like the last, over ports with faults."""

    def __init__(self, suite: Suite) -> None:
        super().__init__(suite)
        self.undone: dict[str, Upload] = {}

    def accept(self) -> str:
        """An undo of four departments: one is restored, one goes, one is kept, one blocked."""
        suite, key = self.suite, self._next_key
        self._next_key += 3
        suite.load("departments", f"1,Before {key}\n")
        undone = suite.load("departments", f"1,After\n{key},Art\n{key + 1},Law\n{key + 2},Tax\n")
        suite.load("departments", f"{key + 1},Trade law\n")
        suite.load("hired_employees", f"{key},Ana,2021-01-01T00:00:00Z,{key + 2},1\n")
        undo_id = suite.accept_undo(undone.id)
        self.undone[undo_id] = undone
        return undo_id

    def is_whole(self, upload_id: str) -> bool:
        """Whether it is done once, announced, named by what it undid, and has its rejects."""
        undo, undone = self.suite.store.get(upload_id), self.undone[upload_id]
        key = int(self.suite.rejects(upload_id)[0].cells[0]) - 1  # type: ignore[index]
        there = dict(self.suite.rows("departments"))
        return (
            (undo.state, undo.undone) == (State.COMPLETED_WITH_REJECTS, COUNTS)
            and undo.announced
            and upload_id in self.suite.announced()
            and self.suite.store.get(undone.id).undone_by == upload_id
            and there[1] == f"Before {key}"
            and key not in there
            and [each.errors[0].code for each in self.suite.rejects(upload_id)]
            == ["kept", "blocked"]
        )

    def kill(self, number: int) -> str:
        """Undo the next upload, killed at the call `number`; finished at the second message."""
        upload_id = self.accept()
        self.faults.arm(number, lambda _call: Killed())
        with suppress(Killed):
            self.processor().process_up_to(upload_id)
        self.faults.clear()
        self.processor().process_up_to(upload_id)
        return upload_id

    def wrong(
        self, numbers: Iterable[int], undo: Callable[[int], str], most_attempts: int
    ) -> list[tuple[Any, ...]]:
        """Undo one after the other, with what is to happen at each call; tells which went wrong."""
        return [
            self.tell(number, "", upload_id)
            for number in numbers
            if not self.is_whole(upload_id := undo(number))
            or self.attempts(upload_id) > most_attempts
        ]


@pytest.fixture
def undos(suite: Suite) -> Undos:
    return Undos(suite)


def test_an_undo_that_is_killed_at_some_call_is_done_once(undos: Undos) -> None:
    numbers = range(0, len(undos.calls()), SAMPLED)
    assert len(numbers) > 5
    assert undos.wrong(numbers, undos.kill, most_attempts=2) == []


def test_an_undo_waits_out_weather_at_some_call_and_counts_one_attempt(undos: Undos) -> None:
    numbers = range(SAMPLED // 2, len(undos.calls()), SAMPLED)
    meet = partial(undos.load, error=weather_on(undos.suite))
    assert undos.wrong(numbers, meet, most_attempts=1) == []


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_an_undo_is_done_once_whatever_happens_at_whichever_call(undos: Undos) -> None:
    numbers = range(len(undos.calls()))
    print(len(numbers), "calls")
    assert undos.wrong(numbers, undos.kill, most_attempts=2) == []
    weather = partial(undos.load, error=weather_on(undos.suite))
    assert undos.wrong(numbers, weather, most_attempts=1) == []
    # One in the announcing repeats nothing.
    assert undos.wrong(numbers, partial(undos.load, error=mistake), most_attempts=2) == []
