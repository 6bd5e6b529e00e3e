"""The query parameters of this service's routes, read strictly."""

import re

from flask import request

from muster.contracts.tables import Table
from muster.http.problems import invalid
from queries.selection import Selection

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
# All others name columns of the table.
_PARAMETERS = {"limit", "cursor", "search", "sort", "names"}
_LONGEST_SEARCH = 255


def year() -> int:
    """`?year=`, 1000 to 9999. There is no default: any year would answer a question nobody asked.

    Raises Problem 422.
    """
    text = request.args.get("year", "")
    # int() would take 2_021 and the digits of any script.
    if not re.fullmatch(r"[1-9][0-9]{3}", text):
        raise invalid(("year", "Give a year from 1000 to 9999, such as ?year=2021."))
    return int(text)


def limit() -> int:
    """`?limit=`, 1 to 1000 rows; 100 by default. Raises Problem 422."""
    text = request.args.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid(("limit", f"Give a number of rows from 1 to {MAX_LIMIT}."))
    return int(text)


def selection(table: Table) -> Selection:
    """The rows of `table` that are asked for, and in which order. Raises Problem 422."""
    sort, descending = _order(table)
    return Selection(table, sort, descending, _filters(table), _search())


def with_names() -> bool:
    """`?names=true`: whether to say what the rows referred to are called. Raises Problem 422."""
    text = request.args.get("names", "false")
    if text not in {"true", "false"}:
        raise invalid(("names", "Give true or false."))
    return text == "true"


def _order(table: Table) -> tuple[str, bool]:
    text = request.args.get("sort", table.key)
    name = text.removeprefix("-")
    if name not in table.indexed_names:
        raise invalid(
            ("sort", f"Sort {table.name} by {_listed(table)}, or backwards with a - before it.")
        )
    return name, text != name


def _filters(table: Table) -> dict[str, int]:
    given = {name: text for name, text in request.args.items() if name not in _PARAMETERS}
    for name in given.keys() - {*table.indexed_names}:
        raise invalid((name, f"The rows of {table.name} can be filtered by {_listed(table)}."))
    return {name: _whole_number(name, text) for name, text in given.items()}


def _whole_number(name: str, text: str) -> int:
    if not re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text, re.ASCII):
        raise invalid((name, "Give a whole number, such as 7."))
    return int(text)


def _search() -> str:
    text = request.args.get("search", "")
    if len(text) > _LONGEST_SEARCH:
        raise invalid(("search", f"Give {_LONGEST_SEARCH} characters at most."))
    return text


def _listed(table: Table) -> str:
    return " or ".join(table.indexed_names)
