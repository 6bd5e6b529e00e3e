"""By how much a load changes the summary of hires, and how often it writes it."""

import random
from collections import Counter

import pytest

from dbuploader.arrow import PlainRow, to_batch
from dbuploader.merge import merge, summary
from dbuploader.merge.summary import HiresDifferences, add_to_summary
from muster.contracts.tables import get_table
from muster.contracts.uploads import State
from tests.unit.dbuploader.suite import Suite

HIRES = get_table("hired_employees")


def some_hires(chance: random.Random, count: int) -> list[PlainRow]:
    return [
        (
            key,
            "Ana",
            f"{chance.randint(2020, 2022)}-{chance.randint(1, 12):02}-28 16:02:08.000000",
            chance.randint(1, 3),
            chance.randint(1, 3),
        )
        for key in range(count)
    ]


def groups(hires: list[PlainRow]) -> Counter[tuple[int, ...]]:
    moments = [str(at) for _, _, at, _, _ in hires]
    quarters = [(int(at[:4]), (int(at[5:7]) + 2) // 3) for at in moments]
    return Counter(
        (*quarter, int(department), int(job))
        for quarter, (_, _, _, department, job) in zip(quarters, hires, strict=True)
    )


@pytest.mark.parametrize("one_by_one", [0, 30, 200])
@pytest.mark.parametrize("summed_up", [0, 30, 200_000])
def test_the_differences_are_those_of_the_rows(
    monkeypatch: pytest.MonkeyPatch, summed_up: int, one_by_one: int
) -> None:
    monkeypatch.setattr(summary, "_SUMMED_UP", summed_up)
    monkeypatch.setattr(summary, "_ROWS_ONE_BY_ONE", one_by_one)
    chance, differences, expected = random.Random(1), HiresDifferences(), Counter[tuple[int, ...]]()
    for _ in range(20):
        added, removed = some_hires(chance, 40), some_hires(chance, 20)
        differences.add(to_batch(HIRES, added))
        differences.remove(to_batch(HIRES, removed))
        expected.update(groups(added))
        expected.subtract(groups(removed))

    taken = differences.take()

    found = list(zip(*[column.to_pylist() for column in taken.columns], strict=True))
    assert found == sorted((*group, by) for group, by in expected.items() if by)
    assert len(found) > 50
    assert (len(differences), len(differences.take())) == (0, 0)


def test_the_summary_of_many_groups_is_written_once(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def note(connection: object, differences: object) -> None:
        written.append(len(differences))  # type: ignore[arg-type]
        add_to_summary(connection, differences)  # type: ignore[arg-type]

    monkeypatch.setattr(merge, "add_to_summary", note)
    lines = []
    for key in range(60_000):
        year, job, month = 1000 + key % 9000, 1 + key // 9000 % 3, 1 + key // 27_000 * 3
        lines.append(f"{key + 1},Ana,{year}-{month:02}-01T00:00:00Z,1,{job}\n")

    upload = suite.load("hired_employees", "".join(lines))

    assert upload.state == State.COMPLETED
    assert written == [60_000]
    assert suite.summary() == suite.expected_summary()
