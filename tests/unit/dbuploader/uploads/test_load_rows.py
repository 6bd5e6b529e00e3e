"""What becomes of the rows of an upload."""

from datetime import datetime

from muster.contracts.uploads import RowCounts, State
from tests.unit.dbuploader.suite import Suite

HIRE = "1,Ana,2021-07-27T16:02:08Z,1,2\n"
OTHER = "2,Bo,2021-11-07T02:48:42Z,2,3\n"


def test_new_rows_are_inserted(suite: Suite) -> None:
    upload = suite.load("hired_employees", HIRE + OTHER)

    assert upload.state == State.COMPLETED
    assert upload.rows == RowCounts(read=2, inserted=2)
    assert [row[1] for row in suite.rows("hired_employees")] == ["Ana", "Bo"]


def test_the_summary_follows_the_rows(suite: Suite) -> None:
    suite.load("hired_employees", HIRE + OTHER)

    assert suite.summary() == [(2021, 3, 1, 2, 1), (2021, 4, 2, 3, 1)]


def test_an_update_moves_the_hire_in_the_summary(suite: Suite) -> None:
    suite.load("hired_employees", HIRE + OTHER)

    upload = suite.load("hired_employees", "1,Ana,2022-01-01T00:00:00Z,3,2\n")

    assert upload.rows == RowCounts(read=1, updated=1)
    assert suite.summary() == [(2021, 4, 2, 3, 1), (2022, 1, 3, 2, 1)]


def test_unchanged_rows_change_nothing(suite: Suite) -> None:
    suite.load("hired_employees", HIRE + OTHER)
    before = suite.rows("hired_employees"), suite.summary()

    upload = suite.load("hired_employees", OTHER + HIRE)

    assert upload.state == State.COMPLETED
    assert upload.rows == RowCounts(read=2, unchanged=2)
    assert (suite.rows("hired_employees"), suite.summary()) == before


def test_an_instant_in_another_zone_is_the_same_row(suite: Suite) -> None:
    suite.load("hired_employees", HIRE)

    upload = suite.load("hired_employees", "1,Ana,2021-07-27T18:02:08.000+02:00,1,2\n")

    assert upload.rows == RowCounts(read=1, unchanged=1)


def test_the_ends_of_the_ranges_are_stored_as_they_came(suite: Suite) -> None:
    name = "𝄞" * 254 + "é"
    first, last = "1000-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z"
    content = f"1,{name},{first},1,1\n2147483647,'\\%s%,{last},2,2\n"
    for counts in (RowCounts(read=2, inserted=2), RowCounts(read=2, unchanged=2)):
        assert suite.load("hired_employees", content).rows == counts
    assert suite.rows("hired_employees") == [
        (1, name, datetime(1000, 1, 1, 0, 0, 0, 1), 1, 1),
        (2147483647, "'\\%s%", datetime.max, 2, 2),
    ]
    assert suite.summary() == [(1000, 1, 1, 1, 1), (9999, 4, 2, 2, 1)]


def test_dates_are_read_in_the_order_that_the_uploader_says(suite: Suite) -> None:
    content = "7,Ana,3/7/2021 4:02 PM,1.0,2\n8,Bo,13/7/2021,1,2\n"

    upload = suite.load("hired_employees", content, dates="mdy")

    assert upload.rows == RowCounts(read=2, inserted=1, rejected=1)
    assert suite.rows("hired_employees") == [(7, "Ana", datetime(2021, 3, 7, 16, 2), 1, 2)]
    assert suite.load("hired_employees", content, dates="dmy").rows.updated == 1


def test_what_looks_wrong_is_told_and_the_first_of_each_kind_is_kept(suite: Suite) -> None:
    title = "Jobs of 2021\nid,job\n"
    content = title + "".join(f"{key},'Job {key}'\n" for key in range(10, 60)) + "60,CafÃ©\n"

    upload = suite.load("jobs", content)

    assert upload.state == State.COMPLETED
    assert upload.warnings_total == 52
    found = [(warning.code, warning.line) for warning in upload.warnings]
    assert found == [
        ("preamble", 1),
        *(("apostrophes", line) for line in range(3, 21)),
        ("misread-text", 53),
    ]


def test_a_rejected_row_is_not_told_to_look_wrong(suite: Suite) -> None:
    upload = suite.load("jobs", "70,Cook\n70,'Cook'\nx,'Baker'\n")

    assert (upload.rows.rejected, upload.warnings_total, upload.warnings) == (2, 0, ())


def test_names_that_differ_in_case_or_accent_differ(suite: Suite) -> None:
    suite.load("jobs", "9,Résumé Editor\n")

    upload = suite.load("jobs", "9,resume editor\n")

    assert upload.rows == RowCounts(read=1, updated=1)


def test_a_repeat_with_the_same_values_is_unchanged(suite: Suite) -> None:
    upload = suite.load("hired_employees", HIRE + OTHER + HIRE)

    assert upload.state == State.COMPLETED
    assert upload.rows == RowCounts(read=3, inserted=2, unchanged=1)


def test_a_repeat_with_other_values_is_rejected_and_names_the_first_line(suite: Suite) -> None:
    upload = suite.load("jobs", "\n7,Baker\n8,Cook\n7,Butcher\n")

    assert upload.state == State.COMPLETED_WITH_REJECTS
    assert upload.rows == RowCounts(read=3, inserted=2, rejected=1)
    (reject,) = suite.rejects(upload.id)
    assert (reject.line, reject.row, reject.cells) == (4, 3, ("7", "Butcher"))
    assert reject.errors[0].code == "primary-key"
    assert "line 2" in reject.errors[0].message


def test_a_rejected_row_does_not_own_its_key(suite: Suite) -> None:
    upload = suite.load(
        "hired_employees", "5,Al,2021-01-01T00:00:00Z,99,1\n5,Al,2021-01-01T00:00:00Z,1,1\n"
    )

    assert upload.rows == RowCounts(read=2, inserted=1, rejected=1)


def test_a_hire_without_its_parents_is_rejected_with_all_that_is_missing(suite: Suite) -> None:
    upload = suite.load("hired_employees", HIRE + "3,Cy,2021-01-01T00:00:00Z,77,88\n")

    assert upload.rows == RowCounts(read=2, inserted=1, rejected=1)
    (reject,) = suite.rejects(upload.id)
    assert [(error.code, error.column) for error in reject.errors] == [
        ("foreign-key", "department_id"),
        ("foreign-key", "job_id"),
    ]


def test_all_that_is_wrong_with_a_row_is_said_in_the_order_of_the_columns(suite: Suite) -> None:
    suite.load("hired_employees", HIRE)

    upload = suite.load("hired_employees", "1,,soon,8,2\nx,Bo,soon,,9\n", mode="insert")

    first, second = suite.rejects(upload.id)
    assert [(error.code, error.column) for error in first.errors] == [
        ("primary-key", "id"),
        ("constraint-error", "name"),
        ("type-error", "datetime"),
        ("foreign-key", "department_id"),
    ]
    assert [(error.code, error.column) for error in second.errors] == [
        ("type-error", "id"),
        ("type-error", "datetime"),
        ("constraint-error", "department_id"),
        ("foreign-key", "job_id"),
    ]
    assert [(cause.code, cause.column) for cause in upload.causes] == [
        ("primary-key", "id"),
        ("type-error", "id"),
    ]


def test_rejects_stand_in_the_order_of_the_input(suite: Suite) -> None:
    upload = suite.load("jobs", "4,\n5,Baker\n5,Cook\nx,Smith\n6,Tailor,Too many\n")

    rejects = suite.rejects(upload.id)
    assert [(reject.line, reject.errors[0].code) for reject in rejects] == [
        (1, "constraint-error"),
        (3, "primary-key"),
        (4, "type-error"),
        (5, "extra-cell"),
    ]


def test_causes_are_grouped_most_rows_first(suite: Suite) -> None:
    upload = suite.load("jobs", "4,\nx,Smith\n5,\n6,\ny,Smith\n")

    assert [
        (cause.code, cause.column, cause.rows, cause.first_line) for cause in upload.causes
    ] == [
        ("constraint-error", "job", 3, 1),
        ("type-error", "id", 2, 2),
    ]
    assert "job is required" in upload.causes[0].message
    assert "as on line 2" in upload.causes[1].message


def test_insert_mode_rejects_keys_that_exist(suite: Suite) -> None:
    suite.load("jobs", "9,Baker\n")

    upload = suite.load("jobs", "9,Baker\n9,Cook\n10,Cook\n10,Cook\n", mode="insert")

    assert upload.rows == RowCounts(read=4, inserted=1, unchanged=1, rejected=2)
    assert {reject.errors[0].code for reject in suite.rejects(upload.id)} == {"primary-key"}
    assert suite.rows("jobs")[-2:] == [(9, "Baker"), (10, "Cook")]


def test_too_many_rejects_load_nothing(suite: Suite) -> None:
    upload = suite.load("hired_employees", HIRE + OTHER + "x\n", max_rejects=0)

    assert upload.state == State.FAILED
    assert upload.error is not None
    assert upload.error.code == "too-many-rejects"
    assert upload.rows == RowCounts(read=3, rejected=1, unprocessed=2)
    assert (suite.rows("hired_employees"), suite.summary()) == ([], [])
    assert len(suite.rejects(upload.id)) == 1


def test_as_many_rejects_as_allowed_load_the_rest(suite: Suite) -> None:
    upload = suite.load("hired_employees", HIRE + "x\n", max_rejects=1)

    assert upload.state == State.COMPLETED_WITH_REJECTS
    assert upload.rows == RowCounts(read=2, inserted=1, rejected=1)


def test_a_file_that_cannot_be_read_fails_with_its_code(suite: Suite) -> None:
    upload = suite.load("jobs", "id,job,colour\n1,Clerk,red\n")

    assert upload.state == State.FAILED
    assert upload.error is not None
    assert upload.error.code == "extra-label"
    assert upload.rows == RowCounts()


def test_a_header_that_is_not_known_loads_nothing(suite: Suite) -> None:
    upload = suite.load("jobs", "Stelle,Nummer\nClerk,1\n")

    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "unknown-header")
    assert len(suite.rows("jobs")) == 3


def test_columns_says_what_the_labels_of_a_file_mean(suite: Suite) -> None:
    content = "Stelle,Nummer,Notiz\nClerk,10,x\n"
    upload = suite.load("jobs", content, columns="Nummer:id,Stelle:job,Notiz:")

    assert upload.state == State.COMPLETED
    assert suite.rows("jobs")[-1] == (10, "Clerk")


def test_what_was_passed_over_above_the_header_stands_in_the_warnings(suite: Suite) -> None:
    upload = suite.load("jobs", "Jobs of 2021\n\njob,id\nClerk,10\n")

    assert upload.rows == RowCounts(read=1, inserted=1)
    assert [(each.code, each.line) for each in upload.warnings] == [("preamble", 1)]
    assert upload.warnings_total == 1
    assert "the header is on line 3" in upload.warnings[0].message


def test_a_rejected_key_overwrites_no_row_when_its_reject_file_comes_back(suite: Suite) -> None:
    first = suite.load("jobs", "9,Baker\n9,Cook\n")
    (reject,) = suite.rejects(first.id)
    header = "id,job,_line,_row,_code,_column,_message\n"
    again = suite.load("jobs", f"{header}9,Cook,2,2,{reject.errors[0].code},id,why\n")

    assert again.rows == RowCounts(read=1, rejected=1)
    assert [each.errors[0].code for each in suite.rejects(again.id)] == ["primary-key"]
    assert suite.rows("jobs")[-1] == (9, "Baker")

    wanted = suite.load("jobs", f"{header}9,Cook,2,2,,id,why\n")
    assert wanted.rows == RowCounts(read=1, updated=1)


def test_an_empty_file_fails(suite: Suite) -> None:
    upload = suite.load("jobs", "")

    assert upload.error is not None
    assert (upload.state, upload.error.code) == (State.FAILED, "empty-file")


def test_a_header_alone_completes_with_no_rows(suite: Suite) -> None:
    upload = suite.load("jobs", "id,job\n")

    assert (upload.state, upload.rows) == (State.COMPLETED, RowCounts())


def test_a_dry_run_counts_what_a_real_run_then_does(suite: Suite) -> None:
    suite.load("hired_employees", HIRE + OTHER)
    content = HIRE + HIRE + "2,Bea,2021-11-07T02:48:42Z,2,3\n3,Cy,2021-01-01T00:00:00Z,1,1\nx\n"
    before = suite.rows("hired_employees"), suite.summary()

    dry = suite.load("hired_employees", content, dry_run=True)

    assert dry.state == State.VALIDATED
    assert (suite.rows("hired_employees"), suite.summary()) == before
    real = suite.load("hired_employees", content)
    assert dry.rows == real.rows == RowCounts(5, inserted=1, updated=1, unchanged=2, rejected=1)
    assert dry.causes == real.causes
    assert suite.rejects(dry.id) == suite.rejects(real.id)


def test_a_file_of_more_than_one_chunk_in_any_order(suite: Suite) -> None:
    hires = [
        f"{key},Name {key},2021-{key % 12 + 1:02}-01T00:00:00Z,{key % 3 + 1},{key % 3 + 1}\n"
        for key in range(12_000, 0, -1)
    ]

    upload = suite.load("hired_employees", "".join(hires))

    assert upload.rows == RowCounts(read=12_000, inserted=12_000)
    assert suite.summary() == suite.expected_summary()
