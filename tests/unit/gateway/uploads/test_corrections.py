"""Rejected rows corrected in place: which go into the new file, and as what."""

import io

from gateway.uploads.corrections import (
    RejectsPage,
    as_file,
    corrected_rows,
    group_by_cause,
    read_page,
)
from muster.contracts.rejects import CellError, Reject, RejectsHeader
from muster.contracts.tables import get_table

BLANK = (CellError("constraint-error", "job", "the cell is blank"),)


def reject(line: int, cells: tuple[str, ...] | None, raw: str | None = None) -> Reject:
    return Reject(line, line, cells, raw, BLANK)


def stored(*rejects: Reject) -> io.BytesIO:
    lines = [RejectsHeader(("id", "job"), raw=True).to_json(), *map(Reject.to_json, rejects)]
    return io.BytesIO("".join(f"{line}\n" for line in lines).encode())


def test_a_page_is_some_of_the_rejects_and_says_whether_there_are_more() -> None:
    rejects = [reject(line, (str(line), "")) for line in range(1, 8)]
    page = read_page(stored(*rejects), 2, 3, 999)
    assert (page.labels, page.rejects, page.more) == (("id", "job"), rejects[2:5], True)
    last = read_page(stored(*rejects), 4, 3, 999)
    assert (last.rejects, last.more) == (rejects[4:], False)
    assert read_page(stored(*rejects), 9, 3, 999).rejects == []


def test_an_upload_without_stored_rejects_has_an_empty_page() -> None:
    assert read_page(None, 0, 3, 999) == RejectsPage((), [], 0, more=False)


def test_only_rows_with_a_changed_cell_are_sent() -> None:
    page = read_page(stored(reject(3, ("1", "")), reject(5, ("2", ""))), 0, 10, 999)
    same = {(3, 0): "1", (3, 1): "", (5, 0): "2", (5, 1): ""}
    assert corrected_rows(page, same) == []
    assert corrected_rows(page, {**same, (5, 1): "Baker"}) == [("2", "Baker", "5", "")]


def test_a_line_that_was_not_split_is_sent_as_its_cells_are_filled_in() -> None:
    page = read_page(stored(reject(3, None, '1,"Ba')), 0, 10, 999)
    assert corrected_rows(page, {(3, 0): "", (3, 1): ""}) == []
    assert corrected_rows(page, {(3, 0): "1", (3, 1): "Baker"}) == [("1", "Baker", "3", "")]


def test_what_the_page_does_not_show_is_not_changed() -> None:
    page = read_page(stored(reject(3, ("1", ""))), 0, 10, 999)
    assert corrected_rows(page, {(4, 0): "9", (3, 7): "9"}) == []


def test_the_file_is_csv_under_the_labels_of_the_first() -> None:
    rows = [("1", 'a "b", c', "3", ""), ("2", "é\nf", "5", "primary-key")]
    assert as_file(("id", "job"), rows) == (
        'id,job,_line,_code\r\n1,"a ""b"", c",3,\r\n2,"é\nf",5,primary-key\r\n'.encode()
    )


def test_a_page_ends_where_its_cells_are_large() -> None:
    rejects = [reject(line, (str(line), "x" * 600)) for line in range(1, 8)]
    page = read_page(stored(*rejects), 0, 10, 999)
    assert (page.rejects, page.more) == (rejects[:2], True)


def test_a_row_whose_key_was_taken_replaces_none_unless_that_is_asked_for() -> None:
    taken = (CellError("primary-key", "id", "line 1 has the same id with other values"),)
    page = read_page(stored(Reject(3, 3, ("1", "Cook"), None, taken)), 0, 10, 999)
    assert corrected_rows(page, {(3, 0): "2"}) == [("2", "Cook", "3", "primary-key")]
    assert corrected_rows(page, {}, {3}) == [("1", "Cook", "3", "")]


def test_rejects_are_grouped_by_cause_and_foreign_keys_by_what_they_hold() -> None:
    table = get_table("hired_employees")
    causes = [
        ("department_id", "constraint-error", ""),
        ("name", "constraint-error", ""),
        ("department_id", "constraint-error", ""),
        ("job_id", "foreign-key", "99"),
        ("job_id", "foreign-key", "98"),
        ("job_id", "foreign-key", "99"),
        ("datetime", "type-error", "yesterday"),
        ("datetime", "type-error", "yesterday"),
    ]
    rejects = [
        Reject(
            line,
            line,
            tuple(text if name == column else "1" for name in table.column_names),
            None,
            (CellError(code, column, "wrong"),),
        )
        for line, (column, code, text) in enumerate(causes, start=1)
    ]
    groups = group_by_cause(RejectsPage(table.column_names, rejects, 0, more=False), table)
    assert [
        (each.column, each.text, [reject.line for reject in each.rejects]) for each in groups
    ] == [
        ("department_id", "", [1, 3]),
        ("name", "", [2]),
        ("job_id", "99", [4, 6]),
        ("job_id", None, [5]),
        ("datetime", None, [7, 8]),
    ]
