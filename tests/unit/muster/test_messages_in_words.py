"""What people read where the loader's messages name columns, options and settings."""

from dataclasses import replace

import pytest

from muster.contracts.tables import tables
from muster.contracts.wording import in_words, spoken_names, title_of
from tests.unit.notification import stories

NAMES = spoken_names(tables()["hired_employees"])


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("the cell is blank: name is required", "the cell is blank: Name is required"),
        ("the cell is blank: job_id is required", "the cell is blank: Job is required"),
        (
            '"job_id" is not an integer: job_id takes the id of a row of jobs, such as 42',
            '"job_id" is not an integer: Job takes the id of a row of jobs, such as 42',
        ),
        (
            "line 2 has the same id with other values: keep one of the two",
            "line 2 has the same Id with other values: keep one of the two",
        ),
        ('name "JosÃ©" looks like "José"', 'Name "JosÃ©" looks like "José"'),
        ('"name" is required reading', '"name" is required reading'),
        (
            "hired_employees has 7 already, and this upload only inserts: take the row out, or "
            "upload with mode=upsert",
            "hired employees has 7 already, and this upload only inserts: take the row out, or "
            "upload it again and say under Options that it replaces the other",
        ),
        (
            '"07/11/2021" does not say which is the day and which the month: write it as '
            "2021-11-07T02:48:42Z, or upload with dates=dmy or dates=mdy",
            '"07/11/2021" does not say which is the day and which the month: write it as '
            "2021-11-07T02:48:42Z, or upload it again and say under Options which is first",
        ),
        (
            '"31/02/2021" is no real date (dates=dmy: the day stands first)',
            '"31/02/2021" is no real date (the day stands first)',
        ),
        (
            'Line 1 has unknown columns: "Nr"; further ones are ignored if their labels begin '
            "with _, or if columns= gives them no column: columns=Nr:",
            'Line 1 has unknown columns: "Nr"; further ones are ignored if their labels begin '
            "with _, or if you skip them in the preview.",
        ),
        (
            "190 of 199 rows would be updated and at most 5% may be (max_updated). "
            "Nothing was loaded.",
            "190 of 199 rows would be updated and at most 5% may be.",
        ),
        (
            "The workbook unpacks to 9 bytes and may have 8 (MUSTER_MAX_WORKBOOK_BYTES). Save it.",
            "The workbook unpacks to 9 bytes and may have 8. Save it.",
        ),
        ("a batch changed it later (change 12)", "a batch changed it later"),
    ],
)
def test_people_read_headings_and_no_options(message: str, words: str) -> None:
    assert in_words(message, NAMES) == words


def test_labels_that_a_header_needs_stay_as_a_file_has_them() -> None:
    detail = "The header lacks job_id. It needs id, name and job_id."
    assert in_words(detail, {}) == detail


def test_an_erasure_is_called_by_the_row() -> None:
    erasure = replace(stories.COMPLETED, kind="erasure", erases=7)
    assert title_of(erasure) == "Erasure: Hired employees, row 7"
