"""How the uploader says a file is to be read, and the error that ends the whole file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

DELIMITERS = {",": ",", ";": ";", "tab": "\t", "pipe": "|"}
DELIMITER_NAMES = {character: name for name, character in DELIMITERS.items()}


@dataclass(frozen=True)
class CsvOptions:
    """What the uploader said about the file; `auto` is found out from its beginning.

    `delimiter` is `auto` or a name in DELIMITERS; `encoding` is `auto` or the name of a codec.
    `columns` gives the column that a label means, blank for a label to pass over.
    """

    header: Literal["auto", "present", "absent"] = "auto"
    delimiter: str = "auto"
    encoding: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)


class FileError(Exception):
    """The file as a whole cannot be read: none of its rows was looked at.

    `code` is one of docs/csv.md, `detail` says what is wrong and what to do.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def assumed_delimiter(name: str, width: int) -> str:
    """Says that the delimiter `name` was assumed, without a full stop."""
    return (
        f"No delimiter gives the rows {width} cells, so {name!r} was assumed: "
        "delimiter= names another"
    )


def delimiter_candidates(options: CsvOptions) -> tuple[str, ...]:
    """The delimiter that was asked for, or all that are tried, in the order of preference."""
    if options.delimiter == "auto":
        return tuple(DELIMITERS.values())
    try:
        return (DELIMITERS[options.delimiter],)
    except KeyError:
        names = ", ".join(["auto", *DELIMITERS])
        detail = f"There is no delimiter {options.delimiter!r}: use one of {names}."
        raise FileError("dialect-error", detail) from None
