"""What a declaration says of a column's values is obeyed, by the cell as by the column."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbuploader.arrow import to_plain_value
from dbuploader.validation.rows import checker, parse_cell
from dbuploader.validation.types.cells import CellProblem
from muster.contracts.tables import Column, DeclarationRefused, IntegerColumn, StringColumn

EMAIL = StringColumn("email", (), 1, 60, r"[^@\s]+@[^@\s]+\.[a-z]{2,}", ())
CODE = StringColumn("code", (), 2, 3, None, ())
KIND = StringColumn("kind", (), 1, 10, None, ("office", "home"))
FLOOR = IntegerColumn("floor", (), -2, 40, (-1, 1, 2, 30), None)

WRONG = [
    (EMAIL, "ana", r"ana.* does not match .*: write it in that form"),
    (EMAIL, "x ana@example.com y", "does not match"),
    (CODE, "B", "B. has 1 characters: write 2 or more"),
    (CODE, "BERL", "BERL. has 4 characters: shorten it to 3 or fewer"),
    (KIND, "Office", "Office. is not one of the values: write one of office, home"),
    (FLOOR, "3", "3. is not one of the values: write one of -1, 1, 2, 30"),
    (FLOOR, "50", "out of range: write a number from -2 to 40"),
]


@pytest.mark.parametrize(("column", "text", "message"), WRONG)
def test_a_cell_that_breaks_a_constraint_says_what_to_write(
    column: Column, text: str, message: str
) -> None:
    with pytest.raises(CellProblem, match=message) as caught:
        parse_cell(column, text)
    assert caught.value.code == "constraint-error"


@pytest.mark.parametrize(
    ("column", "text"),
    [(EMAIL, " ana@example.com "), (CODE, "ÄÖ"), (KIND, "home"), (FLOOR, "-1"), (FLOOR, "+30.0")],
)
def test_a_cell_that_keeps_them_has_its_value(column: Column, text: str) -> None:
    assert checker(column).check_column(pa.array([text]))[0].is_valid
    assert str(parse_cell(column, text)) == text.strip().replace("+", "").replace(".0", "")


TEXTS = st.one_of(
    st.sampled_from(
        ["office", " home", "B", "BE", "ana@example.com", "3", "-1", "30", "1.0", "a@b"]
    ),
    st.text(max_size=4),
)


@given(st.sampled_from([EMAIL, CODE, KIND, FLOOR]), st.lists(TEXTS, max_size=8))
def test_a_column_of_cells_is_checked_as_each_cell_is(column: Column, texts: list[str]) -> None:
    def value(text: str) -> int | str | None:
        try:
            return to_plain_value(parse_cell(column, text))
        except CellProblem:
            return None

    found = checker(column).check_column(pa.array(texts, pa.string()))
    assert found.to_pylist() == [value(text) for text in texts]


def test_a_pattern_that_could_take_for_ever_is_refused() -> None:
    with pytest.raises(DeclarationRefused, match="The pattern of code"):
        checker(StringColumn("code", (), 1, 3, r"(a)\1", ()))
