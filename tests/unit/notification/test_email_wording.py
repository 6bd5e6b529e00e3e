"""What the email says: the subject, the state in a sentence, the counts, the advice."""

import re
from dataclasses import replace

import pytest

from muster.contracts.error_codes import UPLOAD_ERRORS
from muster.contracts.uploads import (
    Failure,
    HiresImpact,
    Impact,
    MeanImpact,
    Options,
    RowCounts,
    State,
    UndoCounts,
    Upload,
)
from muster.contracts.wording import counts, sentence
from notification import wording
from notification.channels.email.content import LoadFailure, content_of
from notification.wording import visible
from tests.unit.notification import stories
from tests.unit.notification.stories import TRACE

OPERATORS = {code for code, error in UPLOAD_ERRORS.items() if error.for_operators}


@pytest.mark.parametrize(
    ("upload", "subject"),
    [
        (stories.COMPLETED, "1,929 rows loaded, 70 already there, none rejected"),
        (stories.WITH_REJECTS, "1,929 rows loaded, 70 rejected"),
        (stories.FAILED, "nothing loaded: the file lacks a column"),
        (stories.TOO_MANY_REJECTS, "nothing loaded: too many rows were rejected"),
        (stories.DRY_RUN, "dry run, 1,929 rows would be loaded, 70 rejected"),
        (stories.CANCELLED, "nothing loaded: cancelled"),
        (stories.NOT_EXPECTED, "nothing loaded: the file does not do what was expected of it"),
        (stories.UNDONE, "undone: 1,929 rows removed, 12 restored"),
        (stories.UNDONE_IN_PART, "undone: 1,929 rows removed, 12 restored, 3 kept"),
        (stories.UNDO_TRIED, "dry run of an undo: 1,929 rows removed, 12 restored"),
        (stories.UNDO_FAILED, "nothing undone: not every row can be undone"),
        (stories.UNDO_CANCELLED, "nothing undone: cancelled"),
    ],
)
def test_the_subject_says_what_became_of_the_rows(upload: Upload, subject: str) -> None:
    assert wording.subject(upload) == f"{upload.filename}: {subject}"


def test_one_row_is_one_row() -> None:
    upload = replace(stories.WITH_REJECTS, rows=RowCounts(read=2, inserted=1, rejected=1))
    assert wording.subject(upload) == "hired_employees.csv: 1 row loaded, 1 rejected"
    assert sentence(upload) == "1 of 2 rows was loaded; 1 was rejected."


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (RowCounts(), "Nothing was loaded: the file has no rows."),
        (RowCounts(read=1, inserted=1), "The only row was loaded."),
        (RowCounts(read=3, inserted=2, updated=1), "All 3 rows were loaded."),
        (RowCounts(read=1, unchanged=1), "Nothing changed: the only row was there already."),
        (RowCounts(read=3, unchanged=3), "Nothing changed: all 3 rows were there already."),
        (RowCounts(read=1, rejected=1), "Nothing was loaded: the only row was rejected."),
        (RowCounts(read=70, rejected=70), "Nothing was loaded: all 70 rows were rejected."),
        (
            RowCounts(read=3, unchanged=1, rejected=2),
            "Nothing was loaded: of 3 rows 1 was there already and 2 were rejected.",
        ),
        (
            RowCounts(read=1999, inserted=1929, rejected=70),
            "1,929 of 1,999 rows were loaded; 70 were rejected.",
        ),
        (
            RowCounts(read=9, updated=3, unchanged=5, rejected=1),
            "3 of 9 rows were loaded; 5 were there already and 1 was rejected.",
        ),
    ],
)
def test_the_sentence_is_true_of_the_counts(rows: RowCounts, expected: str) -> None:
    assert sentence(replace(stories.COMPLETED, rows=rows)) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (RowCounts(), "the file has no rows"),
        (RowCounts(read=1, inserted=1), "the only row would be loaded"),
        (RowCounts(read=3, updated=3), "all 3 rows would be loaded"),
        (RowCounts(read=3, unchanged=3), "all 3 rows are there already"),
        (RowCounts(read=3, rejected=3), "all 3 rows would be rejected"),
        (
            RowCounts(read=9, inserted=3, unchanged=5, rejected=1),
            "of 9 rows 3 would be loaded, 5 would be left as they are and 1 would be rejected",
        ),
    ],
)
def test_the_sentence_of_a_dry_run_says_what_would_be(rows: RowCounts, expected: str) -> None:
    upload = replace(stories.DRY_RUN, rows=rows)
    assert sentence(upload) == f"Nothing was loaded, as this was a dry run: {expected}."


@pytest.mark.parametrize(
    ("upload", "expected"),
    [
        (stories.FAILED, "the file lacks a column"),
        (stories.TOO_MANY_REJECTS, "70 rows were rejected, and none may be"),
        (
            replace(stories.TOO_MANY_REJECTS, options=Options(max_rejects=69)),
            "70 rows were rejected, and at most 69 may be",
        ),
        (
            replace(stories.TOO_MANY_REJECTS, options=Options()),
            "too many rows were rejected",
        ),
        (stories.NOT_EXPECTED, "the file does not do what was expected of it"),
        (
            replace(stories.NOT_EXPECTED, options=Options(dry_run=True)),
            "the file does not do what was expected of it",
        ),
        (replace(stories.FAILED, error=Failure("of-a-later-version")), "the upload failed"),
        (replace(stories.FAILED, error=None), "the upload failed"),
        (stories.CANCELLED, "the upload was cancelled"),
    ],
)
def test_what_loaded_nothing_says_so_first_and_then_why(upload: Upload, expected: str) -> None:
    assert sentence(upload) == f"Nothing was loaded: {expected}."


@pytest.mark.parametrize("code", UPLOAD_ERRORS)
def test_a_reason_in_the_sentence_has_no_word_of_the_api(code: str) -> None:
    told = sentence(replace(stories.FAILED, error=Failure(code, "")))
    told += UPLOAD_ERRORS[code].remedy
    assert not re.search(r"[a-z]_[a-z]|=|MUSTER_", told)


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        (State.COMPLETED, None, "The row was erased: neither the table nor"),
        (State.CANCELLED, None, "The erasure was cancelled before it was finished."),
        (State.FAILED, "internal-error", "The row could not be erased everywhere."),
        (State.FAILED, "row-referred", "The row was not erased: other rows refer to it."),
    ],
)
def test_the_sentence_of_an_erasure(state: State, code: str | None, expected: str) -> None:
    error = None if code is None else Failure(code, "")
    upload = replace(stories.COMPLETED, kind="erasure", erases=1, state=state, error=error)
    assert sentence(upload).startswith(expected)


@pytest.mark.parametrize(
    ("upload", "expected"),
    [
        (stories.UNDONE, "Undone: 1,929 rows removed, 12 restored."),
        (stories.UNDONE_IN_PART, "Undone in part: 1,929 rows removed, 12 restored, 3 kept."),
        (
            replace(stories.UNDONE, undone=UndoCounts(written=1, restored=1)),
            "Undone: 1 row restored.",
        ),
        (
            replace(stories.UNDONE_IN_PART, undone=UndoCounts(written=5, kept=1, blocked=4)),
            "Nothing was undone: 1 row kept, 4 blocked.",
        ),
        (
            stories.UNDO_TRIED,
            "Nothing was undone, as this was a dry run: 1,929 rows would be removed, 12 restored.",
        ),
        (stories.UNDO_FAILED, "Nothing was undone: not every row can be undone."),
        (stories.UNDO_CANCELLED, "Nothing was undone: the undo was cancelled."),
    ],
)
def test_the_sentence_of_an_undo_is_true_of_its_counts(upload: Upload, expected: str) -> None:
    assert sentence(upload) == expected


def test_the_counts_of_an_undo_are_its_own() -> None:
    assert counts(stories.UNDONE_IN_PART) == [
        ("Rows that it wrote", "1,944"),
        ("Restored", "12"),
        ("Removed", "1,929"),
        ("Kept, changed later", "3"),
        ("Blocked, others depend on it", "0"),
    ]


def steps(upload: Upload) -> list[str]:
    return [step.text for step in content_of(upload, TRACE, "http://localhost").steps]


@pytest.mark.parametrize(
    ("upload", "last"),
    [
        (stories.UNDONE, []),
        (stories.UNDONE_IN_PART, ["Get the rows that are not undone, each with its reason."]),
        (stories.UNDO_TRIED, ["Undo it without dry_run, to take back what can be."]),
        (
            stories.UNDO_FAILED,
            [
                "Get the rows that are not undone, each with its reason.",
                "Or undo what can be, and leave those rows as they are.",
            ],
        ),
        (stories.UNDO_CANCELLED, ["Undo it again, if it should be undone after all."]),
    ],
)
def test_the_steps_of_an_undo_send_no_file(upload: Upload, last: list[str]) -> None:
    login = ["Log in; it asks for your password."] if last else []
    assert steps(upload) == login + last


@pytest.mark.parametrize("code", [*UPLOAD_ERRORS, "of-a-later-version"])
def test_no_failure_of_an_undo_is_answered_with_a_file(code: str) -> None:
    upload = replace(stories.UNDO_FAILED, rejects=None, error=Failure(code, "Something is wrong."))
    content = content_of(upload, TRACE, "http://localhost")
    assert content.problem is not None
    assert content.problem.advice
    if code not in {"undo-expired", *OPERATORS}:
        told = " ".join([content.problem.advice, *steps(upload)])
        assert "file" not in told.lower()


def test_what_was_not_expected_is_answered_with_the_right_file_or_other_limits() -> None:
    content = content_of(stories.NOT_EXPECTED, TRACE, "http://localhost")
    assert content.problem == LoadFailure(
        "1,900 of 1,999 rows would be updated and at most 5% may be.",
        "Check whether it is the right file. If it is, allow what it does, and send it again.",
    )
    assert content.steps[-1].text.startswith("Send the right file, or this one with other limits")
    assert "max_updated=5%25" in content.steps[-1].command


NUMBER = HiresImpact(2021, 3, 1, "Sales", 4, 1009)
ABOVE = MeanImpact(2021, 9, "Support", above=True)
NO_LONGER = MeanImpact(2020, 9, "Support", above=False)


@pytest.mark.parametrize(
    ("impact", "state", "said"),
    [
        (None, State.COMPLETED, ""),
        (Impact(), State.COMPLETED, ""),
        (Impact((NUMBER,), 1), State.COMPLETED, "Sales, Q3 2021: 4 → 1,009"),
        (
            Impact((NUMBER,), 2),
            State.COMPLETED,
            "Sales, Q3 2021: 4 → 1,009, and 1 more number",
        ),
        (
            stories.IMPACT,
            State.COMPLETED_WITH_REJECTS,
            "Sales, Q3 2021: 4 → 1,009, and 12 more numbers; Support comes above the mean of 2021",
        ),
        (
            Impact((), 0, (NO_LONGER,), 2),
            State.COMPLETED,
            "Support is no longer above the mean of 2020, "
            "and 1 more department crosses that of a year",
        ),
        (
            Impact((), 0, (ABOVE,), 1001),
            State.VALIDATED,
            "Support would come above the mean of 2021, "
            "and 1,000 more departments would cross that of a year",
        ),
        (
            Impact((), 0, (NO_LONGER,), 1),
            State.VALIDATED,
            "Support would no longer be above the mean of 2020",
        ),
    ],
)
def test_what_changes_in_hiring_is_one_line(impact: Impact | None, state: State, said: str) -> None:
    upload = replace(stories.COMPLETED, state=state, impact=impact)
    assert wording.changed_in_hiring(upload) == said
    assert content_of(upload, TRACE, "https://muster.example").hiring == said


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
    assert wording.subject(upload).startswith("hired_employees.csv: ")
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


@pytest.mark.parametrize(
    ("upload", "tone", "action"),
    [
        (stories.COMPLETED, "good", "See the upload"),
        (stories.WITH_REJECTS, "partly", "Correct the 70 rows"),
        (
            replace(stories.WITH_REJECTS, rows=RowCounts(read=1, rejected=1)),
            "bad",
            "Correct the rejected row",
        ),
        (stories.FAILED, "bad", "See what is wrong"),
        (stories.DRY_RUN, "neutral", "See the upload"),
        (stories.CANCELLED, "neutral", "See the upload"),
        (stories.UNDONE, "good", "See the undo"),
        (stories.UNDONE_IN_PART, "partly", "See the undo"),
        (replace(stories.UNDONE_IN_PART, undone=UndoCounts(1, kept=1)), "bad", "See the undo"),
    ],
)
def test_the_button_says_what_is_there_to_do(upload: Upload, tone: str, action: str) -> None:
    content = content_of(upload, TRACE, "https://muster.example")
    assert (content.tone, content.action) == (tone, action)
    assert content.link == f"https://muster.example/uploads/{upload.id}"
