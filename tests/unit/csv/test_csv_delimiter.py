"""Which character separates the cells."""

import pytest

from dbuploader.csvfile import FileError
from tests.unit.csv.reading import open_bytes

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
