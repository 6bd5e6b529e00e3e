"""Which row of a file owns a key, found with a bitmap, and by a dictionary as a check."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dbuploader.arrow import PlainRow, to_batch, to_rows
from dbuploader.scratch import Scratch
from dbuploader.validation.duplicates import DuplicateKeyFilter
from muster.contracts.tables import get_table

JOBS = get_table("jobs")
UNSIGNED = range(2**32)

KEYS = st.integers(1, 12) | st.sampled_from([1, 65_535, 65_536, 2**31 - 1])
ROWS = st.tuples(KEYS, st.sampled_from(["Baker", "Cook"]))
CHUNKS = st.lists(st.lists(ROWS, max_size=12), max_size=6)


def add(
    owners: DuplicateKeyFilter, first_line: int, rows: list[PlainRow]
) -> tuple[list[PlainRow], int, dict[int, int]]:
    lines = pa.arange(first_line, first_line + len(rows))
    owning, repeats = owners.add(lines, to_batch(JOBS, rows))
    return to_rows(owning), repeats.same, repeats.others


@given(chunks=CHUNKS)
def test_the_first_row_of_a_key_owns_it(scratch: Scratch, chunks: list[list[PlainRow]]) -> None:
    first: dict[int | str, tuple[int, PlainRow]] = {}
    line = 1
    with DuplicateKeyFilter(JOBS, scratch) as owners:
        for chunk in chunks:
            owning, same, others = [], 0, {}
            start = line
            for row in chunk:
                owner, owned = first.setdefault(row[0], (line, row))
                if owner == line:
                    owning.append(row)
                elif owned == row:
                    same += 1
                else:
                    others[line] = owner
                line += 1
            assert add(owners, start, chunk) == (owning, same, others)


def test_cleared_owners_know_no_row(scratch: Scratch) -> None:
    with DuplicateKeyFilter(JOBS, scratch) as owners:
        add(owners, 1, [(1, "Baker")])
        owners.clear()
        assert add(owners, 1, [(1, "Cook")]) == ([(1, "Cook")], 0, {})
        assert add(owners, 2, [(1, "Baker")]) == ([], 0, {2: 1})
