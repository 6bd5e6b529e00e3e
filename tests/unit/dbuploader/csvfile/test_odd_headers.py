"""Whatever stands in or above a header, no value is loaded into another column."""

from contextlib import suppress

import pytest

from dbuploader.csvfile.model import FileError
from tests.unit.dbuploader.csvfile.odd_headers import (
    ABOVE,
    ORDERS,
    OddFile,
    odd_files,
    outcome_of,
    rows_of,
)

UNKNOWN = {"other words", "German", "Japanese", "two known", "one known", "absent"}


def loaded(file: OddFile) -> list[tuple[object, ...]]:
    with suppress(FileError):
        return rows_of(file.content)[0]
    return []


TRUE = sorted(loaded(next(odd_files())))


@pytest.mark.parametrize("above", ABOVE)
def test_no_odd_header_loads_a_wrong_value(above: str) -> None:
    files = [file for file in odd_files() if f", {above}, " in file.name]
    assert len(files) == 45
    for file in files:
        # A file that says nothing of its columns has them in the declared order.
        if not file.name.startswith("absent") or str(ORDERS[0]) in file.name:
            assert sorted(loaded(file)) in ([], TRUE), file.name


def test_headers_that_are_known_load_whatever_stands_above_them() -> None:
    assert len(TRUE) == 3
    for file in odd_files():
        if file.name.split(",")[0] not in UNKNOWN:
            assert outcome_of(file) == "loaded", file.name
