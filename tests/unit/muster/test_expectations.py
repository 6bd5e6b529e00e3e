"""What a file is expected to do to its table: how a limit is written, and when it holds."""

import pytest

from muster.contracts.expectations import check_limit, unmet
from muster.contracts.uploads import Options, RowCounts


@pytest.mark.parametrize("limit", ["0", "500", "9999999999", "0%", "5%", "100%", "0.0125%"])
def test_a_limit_is_a_number_of_rows_or_a_share(limit: str) -> None:
    assert check_limit(limit) == limit


@pytest.mark.parametrize(
    "limit",
    [
        *(
            "",
            "%",
            "-1",
            "+1",
            "1.5",
            "1e3",
            "1_000",
            " 5%",
            "5 %",
            "101%",
            "100.1%",
            "5,5%",
            "5%%",
        ),
        *(
            "1" * 11,
            "0.00001%",
            "nan%",
            "inf",
            "\N{ARABIC-INDIC DIGIT FIVE}",
            "5\N{FULLWIDTH PERCENT SIGN}",
        ),
    ],
)
def test_anything_else_is_none(limit: str) -> None:
    with pytest.raises(ValueError, match="write a number of rows"):
        check_limit(limit)


@pytest.mark.parametrize(
    ("options", "rows", "clauses"),
    [
        (Options(), RowCounts(read=9, inserted=9), []),
        (Options(expect_rows=9), RowCounts(read=9, rejected=9), []),
        (
            Options(expect_rows=2000),
            RowCounts(read=1999),
            ["1,999 rows were read and 2,000 expected (expect_rows)"],
        ),
        (
            Options(expect_rows=0),
            RowCounts(read=1),
            ["1 row was read and 0 expected (expect_rows)"],
        ),
        (Options(max_inserted="3"), RowCounts(read=3, inserted=3), []),
        (
            Options(max_inserted="2"),
            RowCounts(read=3, inserted=3),
            ["3 of 3 rows would be inserted and at most 2 may be (max_inserted)"],
        ),
        # A tenth of the rows read, the rejected ones too, and not a row more.
        (Options(max_updated="10%"), RowCounts(read=30, updated=3, rejected=20), []),
        (
            Options(max_updated="10%"),
            RowCounts(read=39, updated=4),
            ["4 of 39 rows would be updated and at most 10% may be (max_updated)"],
        ),
        # As a float, a thousandth of 1,000 times 0.7 is more than 0.7.
        (Options(max_updated="0.7%"), RowCounts(read=1000, updated=7), []),
        (Options(max_updated="0%", max_inserted="0"), RowCounts(), []),
        (
            Options(expect_rows=4, max_inserted="0", max_updated="0%"),
            RowCounts(read=2, inserted=1, updated=1),
            [
                "2 rows were read and 4 expected (expect_rows)",
                "1 of 2 rows would be inserted and at most 0 may be (max_inserted)",
                "1 of 2 rows would be updated and at most 0% may be (max_updated)",
            ],
        ),
    ],
)
def test_each_expectation_that_is_not_met_is_a_clause(
    options: Options, rows: RowCounts, clauses: list[str]
) -> None:
    assert unmet(options, rows) == clauses
