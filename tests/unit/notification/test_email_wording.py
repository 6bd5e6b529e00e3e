"""What the email says: the subject, the state in a sentence, the counts, the advice."""

from dataclasses import replace

import pytest

from muster.contracts.uploads import Failure, RowCounts, State, Upload
from muster.contracts.wording import counts, sentence
from notification import wording
from notification.channels.email.content import content_of
from notification.wording import visible
from tests.unit.notification import stories
from tests.unit.notification.stories import TRACE


@pytest.mark.parametrize(
    ("upload", "subject"),
    [
        (stories.COMPLETED, "1,929 rows loaded, 70 already there, none rejected"),
        (stories.WITH_REJECTS, "1,929 rows loaded, 70 rejected"),
        (stories.FAILED, "failed, nothing loaded: missing label"),
        (stories.TOO_MANY_REJECTS, "failed, nothing loaded: too many rejects"),
        (stories.DRY_RUN, "dry run, 1,929 rows would load, 70 rejected"),
        (stories.CANCELLED, "cancelled, nothing loaded"),
    ],
)
def test_the_subject_says_what_became_of_the_rows(upload: Upload, subject: str) -> None:
    assert wording.subject(upload) == f"hired_employees: {subject}"


def test_one_row_is_one_row() -> None:
    upload = replace(stories.WITH_REJECTS, rows=RowCounts(read=2, inserted=1, rejected=1))
    assert wording.subject(upload) == "hired_employees: 1 row loaded, 1 rejected"
    assert sentence(upload) == "Your file was loaded, but for 1 row that was rejected."


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (RowCounts(), "Your file has no rows, so there was nothing to load."),
        (RowCounts(read=3, unchanged=3), "Your file was loaded: all of its rows are in the table."),
        (
            RowCounts(read=70, rejected=70),
            "Nothing of your file was loaded: all of its rows were rejected.",
        ),
        (
            RowCounts(read=1999, inserted=1929, rejected=70),
            "Your file was loaded, but for 70 rows that were rejected.",
        ),
    ],
)
def test_the_sentence_is_true_of_the_counts(rows: RowCounts, expected: str) -> None:
    assert sentence(replace(stories.COMPLETED, rows=rows)) == expected


def test_all_counts_are_there() -> None:
    assert counts(stories.TOO_MANY_REJECTS) == [
        ("Rows read", "1,999"),
        ("Inserted", "0"),
        ("Updated", "0"),
        ("Unchanged, already there", "0"),
        ("Rejected", "70"),
        ("Unprocessed", "1,929"),
    ]


def test_a_dry_run_says_what_would_be() -> None:
    assert ("Would be inserted", "1,929") in counts(stories.DRY_RUN)


@pytest.mark.parametrize("code", ["internal-error", "too-many-attempts"])
def test_what_the_uploader_cannot_mend_has_no_steps(code: str) -> None:
    upload = replace(stories.FAILED, error=Failure(code, "The loader ended three times."))
    content = content_of(upload, TRACE, "http://localhost")
    assert content.steps == []
    assert content.problem is not None
    assert "operators" in content.problem.advice


def test_what_the_loader_waited_for_is_no_problem_of_a_loaded_file() -> None:
    upload = replace(stories.COMPLETED, error=Failure("waiting-for-database", "It is away."))
    assert content_of(upload, TRACE, "http://localhost").problem is None


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_every_final_state_has_words(state: State) -> None:
    upload = replace(stories.COMPLETED, state=state)
    assert wording.subject(upload).startswith("hired_employees: ")
    assert sentence(upload).endswith(".")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hired_employees.csv", "hired_employees.csv"),
        ("contratação 2021.csv", "contratação 2021.csv"),
        ("a\r\nBcc: x@y.csv", "a\ufffd\ufffdBcc: x@y.csv"),
        ("a\u202evsc.exe", "a\ufffdvsc.exe"),
        ("a\ud800\x00\u2028", "a\ufffd\ufffd\ufffd"),
    ],
)
def test_what_is_not_printable_is_replaced(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("limit", [9, 10])
def test_the_middle_of_a_long_text_is_left_out(limit: int) -> None:
    assert visible("abcdefghijkl"[:limit], limit) == "abcdefghijkl"[:limit]
    short = visible("abcdefghijkl", limit)
    assert len(short) == limit
    assert (short[:4], short[-4:]) == ("abcd", "ijkl")
