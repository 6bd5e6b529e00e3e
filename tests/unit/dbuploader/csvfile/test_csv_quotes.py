"""Quoted cells, and what quotes in the wrong place cost."""

import pytest

from tests.unit.dbuploader.csvfile.reading import cells, codes, open_bytes, read


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('1,"Sales"', ("1", "Sales")),
        ('"1","Sales"', ("1", "Sales")),
        ('1,"Research, Development"', ("1", "Research, Development")),
        ('1,"The ""A"" team"', ("1", 'The "A" team')),
        ('1,""""', ("1", '"')),
        ('1,""', ("1", "")),
        ('"",""', ("", "")),
        ('1,"a"",""b"', ("1", 'a","b')),
        (' "1" ,\t" Sales " ', ("1", " Sales ")),
    ],
)
def test_quotes_enclose_a_cell_and_are_doubled_inside(line: str, expected: tuple[str, str]) -> None:
    assert cells(line.encode()) == [expected]


def test_blanks_around_a_quoted_cell_do_not_eat_a_tab_that_separates() -> None:
    assert cells(b'1\t"Sales"\n2\t "Legal" \n') == [("1", "Sales"), ("2", "Legal")]


@pytest.mark.parametrize("block_size", [1, 3, 1024])
def test_a_quoted_cell_may_span_lines_empty_ones_too(block_size: int) -> None:
    data = b'1,"Sales\r\n\nand more"\n2,Legal\n'
    first, second = open_bytes(data, block_size=block_size, sample_size=1)
    assert first.cells == ("1", "Sales\r\n\nand more")
    assert (second.line, second.row, second.cells) == (4, 2, ("2", "Legal"))


@pytest.mark.parametrize(
    "line",
    [
        '1,"Sales',
        '"1,Sales',
        '1,Sa"les',
        '1,Sales"',
        '1,"Sa"les',
        '1,"Sales"x',
        '1,"Sales" "',
        '1,"""',
    ],
)
@pytest.mark.parametrize("block_size", [1, 5, 1024])
def test_a_stray_quote_costs_one_row(line: str, block_size: int) -> None:
    data = f"1,First\n{line}\n2,Legal\n3,Support\n".encode()
    records = list(open_bytes(data, block_size=block_size, sample_size=1))
    assert codes(records) == [(2, "quote-error")]
    assert (records[1].cells, records[1].raw) == (None, line)
    assert [record.line for record in records] == [1, 2, 3, 4]


def test_two_stray_quotes_do_not_swallow_the_rows_between_them() -> None:
    data = b'1,"Sales\n2,Legal\n3,Support\n4,"Training\n5,Services\n'
    assert codes(read(data)) == [(1, "quote-error"), (4, "quote-error")]


def test_two_stray_quotes_in_neighbouring_rows_reject_both() -> None:
    assert codes(read(b'1,"Sales\n2,Legal"\n3,Support\n')) == [
        (1, "quote-error"),
        (2, "quote-error"),
    ]


def test_a_stray_quote_at_the_end_of_the_file_costs_one_row() -> None:
    assert codes(read(b'1,Sales\n2,"Legal')) == [(2, "quote-error")]


def test_a_quote_that_closes_in_mid_cell_lines_later_costs_one_row() -> None:
    first, second, third = read(b'1,"Sales\nand" more\n2,Legal\n')
    assert codes([first, second]) == [(1, "quote-error"), (2, "quote-error")]
    assert (first.raw, second.raw) == ('1,"Sales', 'and" more')
    assert third.cells == ("2", "Legal")


def test_a_quoted_cell_spans_up_to_a_hundred_lines() -> None:
    good = b'1,"' + b"\n" * 99 + b'"\n2,Legal\n'
    assert [record.line for record in read(good)] == [1, 101]
    bad = b'1,"' + b"x\n" * 100 + b'"\n2,Legal\n'
    records = read(bad)
    assert codes(records)[0] == (1, "quote-error")
    assert records[-1].cells == ("2", "Legal")


def test_a_quoted_cell_spans_up_to_64_kib() -> None:
    line = b"x" * 1023 + b"\n"
    good = b'1,"\n' + line * 63 + b'"\n2,Legal\n'
    assert codes(read(good)) == []
    bad = b'1,"\n' + line * 64 + b'"\n2,Legal\n'
    assert codes(read(bad))[0] == (1, "quote-error")


def test_a_quote_that_does_not_close_in_a_line_beyond_the_limit_is_a_quote_error() -> None:
    assert codes(read(b'1,"' + b"x" * 70_000 + b'"\n2,Legal\n')) == [(1, "quote-error")]


def test_a_quote_and_a_bad_byte_in_one_line_cost_one_row() -> None:
    records = read(b'1,Sales\n2,"\xff\n3,Legal\n')
    assert codes(records) == [(2, "quote-error")]
    assert records[1].raw == '2,"\\xff'


def test_stray_quotes_that_pair_up_take_no_line_along() -> None:
    # The second row has a cell too many, so it does not look like a record by its delimiters.
    data = b'"1,Ana,2021-11-07T02:48:42Z,2,3\n2,Bo,2021-11-07T02:48:42Z,2,3",\n'
    assert codes(read(data, "hired_employees")) == [(1, "quote-error"), (2, "quote-error")]
