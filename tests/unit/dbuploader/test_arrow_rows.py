"""Rows as columns: which are found by their keys, and which are kept."""

import pyarrow as pa
import pytest

from dbuploader.arrow import find_rows, kept, to_batch, to_rows
from muster.contracts.tables import get_table

JOBS = get_table("jobs")
HELD = to_batch(JOBS, [(1, "Nurse"), (3, "Cook"), (7, "Clerk")])


@pytest.mark.parametrize(
    ("keys", "known", "found"),
    [
        ([1, 3, 7], [True, True, True], [1, 3, 7]),
        ([7, 1, 3], [True, True, True], [7, 1, 3]),
        ([1, 2, 7], [True, False, True], [1, 7]),
        ([2, 4, 6], [False, False, False], []),
        ([], [], []),
    ],
)
def test_rows_are_found_in_the_order_of_the_keys(
    keys: list[int], known: list[bool], found: list[int]
) -> None:
    mask, rows = find_rows(pa.array(keys, pa.int32()), HELD, "id")
    assert mask.to_pylist() == known
    assert [key for key, _ in to_rows(rows)] == found


@pytest.mark.parametrize("mask", [[True] * 3, [False] * 3, [True, False, True]])
def test_rows_are_kept_for_which_the_mask_holds(mask: list[bool]) -> None:
    rows = kept(HELD, pa.array(mask))
    wanted = [row for row, holds in zip(to_rows(HELD), mask, strict=True) if holds]
    assert to_rows(rows) == wanted
