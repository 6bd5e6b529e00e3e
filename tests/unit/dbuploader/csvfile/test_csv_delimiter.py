"""Which character separates the cells."""

import pytest

from dbuploader.csvfile.model import FileError
from tests.unit.dbuploader.csvfile.reading import open_bytes, read

CHARACTERS = {",": ",", ";": ";", "tab": "\t", "pipe": "|"}


@pytest.mark.parametrize("character", CHARACTERS.values())
def test_the_delimiter_of_a_header_is_found(character: str) -> None:
    others = "".join(set(CHARACTERS.values()) - {character})
    file = open_bytes(character.join(["id", f"_note{others}", "department"]).encode())
    assert (file.delimiter, file.has_header) == (character, True)


@pytest.mark.parametrize("character", CHARACTERS.values())
def test_the_delimiter_that_gives_most_rows_their_columns_is_found(character: str) -> None:
    rows = [("1", "Sales, Marketing; and | more"), ("2", "Legal"), ("3", "Support")]
    file = open_bytes("\n".join(map(character.join, rows)).encode())
    assert file.delimiter == character


def test_types_break_a_tie() -> None:
    assert open_bytes(b"1;Sales, East\n").delimiter == ";"
    assert open_bytes(b"1,Sales; East\n").delimiter == ","


def test_a_tie_that_types_leave_goes_to_the_comma() -> None:
    assert open_bytes(b",x;\n").delimiter == ","


def test_a_delimiter_that_was_assumed_is_told() -> None:
    said = "No delimiter gives the rows 5 cells, so ',' was assumed: delimiter= names another"
    for row in read(b"1,Ana,2021\n2,Bo,2021\n", "hired_employees"):
        assert said in row.errors[0].message
    with pytest.raises(FileError, match="was assumed") as caught:
        read(b"id:name:datetime:department_id:job_id\n", "hired_employees")
    assert (caught.value.code, said in caught.value.detail) == ("unknown-header", True)


def test_a_delimiter_that_was_found_is_not_told_to_be_assumed() -> None:
    _, row = read(b"1;Sales\n2;Legal;x;y\n")
    assert "assumed" not in row.errors[0].message
    (row,) = open_bytes(b"1:Sales\n", delimiter=";", header="absent")
    assert "assumed" not in row.errors[0].message


def test_a_delimiter_within_quotes_does_not_count() -> None:
    assert open_bytes(b'1;"a,b"\n2;"c,d"\n').delimiter == ";"


@pytest.mark.parametrize(("name", "character"), CHARACTERS.items())
def test_the_delimiter_can_be_named(name: str, character: str) -> None:
    file = open_bytes(f"1{character}a,b;c\n".encode(), delimiter=name)
    assert file.delimiter == character


def test_an_unknown_delimiter_fails_the_file() -> None:
    with pytest.raises(FileError, match="tab, pipe") as caught:
        open_bytes(b"1,Sales\n", delimiter="#")
    assert caught.value.code == "dialect-error"
