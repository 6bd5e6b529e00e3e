from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.damage import DAMAGES, OVERLONG
from bench.hires import (
    DEPARTMENTS,
    JOBS,
    Shape,
    write_damaged,
    write_hires,
    write_moved,
    write_renamed,
)
from tests.unit.dbuploader.suite import Suite

GOOD = ["2", "Ana", "2021-11-07T02:48:42Z", "3", "4"]
PARENTS = {
    table: "".join(f"{id_},{table} {id_}\n" for id_ in range(1, count + 1))
    for table, count in (("departments", DEPARTMENTS), ("jobs", JOBS))
}


@pytest.fixture
def parents(tmp_path: Path) -> Iterator[Suite]:
    with closing(Suite(tmp_path, f"sqlite:///{tmp_path}/employment.db")) as suite:
        for table, content in PARENTS.items():
            suite.load(table, content)
        yield suite


def counts(suite: Suite, path: Path) -> Counter[str]:
    rows = suite.load("hired_employees", path.read_bytes()).rows
    assert rows is not None
    names = ("inserted", "updated", "unchanged", "rejected")
    return Counter({name: getattr(rows, name) for name in names})


def test_the_same_hires_are_written_every_time(tmp_path: Path) -> None:
    for name in ("one.csv", "other.csv"):
        write_hires(tmp_path / name, 100)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()


def test_good_hires_load_and_changed_ones_update_every_row(tmp_path: Path, parents: Suite) -> None:
    for write, outcome in (
        (write_hires, "inserted"),
        (write_hires, "unchanged"),
        (write_renamed, "updated"),
        (write_moved, "updated"),
    ):
        write(tmp_path / "hires.csv", 300)
        assert +counts(parents, tmp_path / "hires.csv") == {outcome: 300}


def test_hires_of_another_shape_are_spread_so(tmp_path: Path, parents: Suite) -> None:
    write_hires(tmp_path / "hires.csv", 300, Shape(5, 3, 2, shuffled=True))
    assert +counts(parents, tmp_path / "hires.csv") == {"inserted": 300}

    rows = [line.split(",") for line in (tmp_path / "hires.csv").read_text().splitlines()]
    ids = [int(row[0]) for row in rows]
    assert ids != sorted(ids)
    assert {row[2][:4] for row in rows} == {"2021", "2022", "2023", "2024", "2025"}
    assert ({row[3] for row in rows}, {row[4] for row in rows}) == ({"1", "2", "3"}, {"1", "2"})


def test_each_damaged_record_costs_one_row(tmp_path: Path, parents: Suite) -> None:
    damaged = write_damaged(tmp_path / "hires.csv", 2000)
    assert 50 < damaged < 150
    found = counts(parents, tmp_path / "hires.csv")
    assert +found == {"rejected": damaged, "inserted": 2000 - damaged}


@pytest.mark.parametrize("damage", [*DAMAGES.values(), OVERLONG], ids=[*DAMAGES, "overlong"])
def test_a_damage_of_each_kind_rejects_its_record_alone(damage: object, parents: Suite) -> None:
    assert callable(damage)
    lines = [",".join(["1", *GOOD[1:]]), damage(GOOD, "1"), ",".join(["5", *GOOD[1:]])]
    content = "".join(f"{line}\r\n" for line in lines).encode(errors="surrogateescape")
    upload = parents.load("hired_employees", content)
    assert upload.rows is not None
    assert (upload.rows.inserted, upload.rows.rejected) == (2, 1)


def test_the_damages_are_of_all_codes(tmp_path: Path, parents: Suite) -> None:
    write_damaged(tmp_path / "hires.csv", 2000)
    upload = parents.load("hired_employees", (tmp_path / "hires.csv").read_bytes())
    assert {cause.code for cause in upload.causes} == {
        "missing-cell",
        "extra-cell",
        "constraint-error",
        "type-error",
        "quote-error",
        "encoding-error",
        "row-error",
        "foreign-key",
        "primary-key",
    }
