"""Rejected rows corrected in place: which go into the new file, and as what."""

import io

from gateway.uploads.corrections import RejectsPage, as_file, corrected_rows, read_page
from muster.contracts.rejects import CellError, Reject, RejectsHeader

BLANK = (CellError("constraint-error", "job", "the cell is blank"),)


def reject(line: int, cells: tuple[str, ...] | None, raw: str | None = None) -> Reject:
    return Reject(line, line, cells, raw, BLANK)


def stored(*rejects: Reject) -> io.BytesIO:
    lines = [RejectsHeader(("id", "job"), raw=True).to_json(), *map(Reject.to_json, rejects)]
    return io.BytesIO("".join(f"{line}\n" for line in lines).encode())


def test_a_page_is_some_of_the_rejects_and_says_whether_there_are_more() -> None:
    rejects = [reject(line, (str(line), "")) for line in range(1, 8)]
    page = read_page(stored(*rejects), 2, 3)
    assert (page.labels, page.rejects, page.more) == (("id", "job"), rejects[2:5], True)
    last = read_page(stored(*rejects), 4, 3)
    assert (last.rejects, last.more) == (rejects[4:], False)
    assert read_page(stored(*rejects), 9, 3).rejects == []


def test_an_upload_without_stored_rejects_has_an_empty_page() -> None:
    assert read_page(None, 0, 3) == RejectsPage((), [], 0, more=False)


def test_only_rows_with_a_changed_cell_are_sent() -> None:
    page = read_page(stored(reject(3, ("1", "")), reject(5, ("2", ""))), 0, 10)
    same = {(3, 0): "1", (3, 1): "", (5, 0): "2", (5, 1): ""}
    assert corrected_rows(page, same) == []
    assert corrected_rows(page, {**same, (5, 1): "Baker"}) == [("2", "Baker", "5")]


def test_a_line_that_was_not_split_is_sent_as_its_cells_are_filled_in() -> None:
    page = read_page(stored(reject(3, None, '1,"Ba')), 0, 10)
    assert corrected_rows(page, {(3, 0): "", (3, 1): ""}) == []
    assert corrected_rows(page, {(3, 0): "1", (3, 1): "Baker"}) == [("1", "Baker", "3")]


def test_what_the_page_does_not_show_is_not_changed() -> None:
    page = read_page(stored(reject(3, ("1", ""))), 0, 10)
    assert corrected_rows(page, {(4, 0): "9", (3, 7): "9"}) == []


def test_the_file_is_csv_under_the_labels_of_the_first() -> None:
    assert as_file(("id", "job"), [("1", 'a "b", c', "3"), ("2", "é\nf", "5")]) == (
        'id,job,_line\r\n1,"a ""b"", c",3\r\n2,"é\nf",5\r\n'.encode()
    )
