"""What requests say: a batch in its body, which part of a history in its query.

A batch is a JSON array of rows, or an object that holds one as `rows`.
"""

import json
import re
from collections.abc import Mapping
from typing import NoReturn

from muster.contracts.uploads import DateOrder

MOST_ROWS = 1000
DEFAULT_LIMIT = 20
MAX_LIMIT = 100

_LONGEST_INTEGER = 20


class MalformedJson(Exception):
    """The body is not JSON (RFC 8259); the message says where."""


class InvalidParameter(Exception):
    """The query parameter `field` can't be used; the message says what to write."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class WrongRows(Exception):
    """The body is JSON, but not 1 to 1000 rows; the message says what it is."""


def read_limit(query: Mapping[str, str]) -> int:
    """How many changes to answer with; raises InvalidParameter."""
    text = query.get("limit", str(DEFAULT_LIMIT))
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise InvalidParameter("limit", f"Give a number of changes from 1 to {MAX_LIMIT}.")


def read_cursor(query: Mapping[str, str]) -> int | None:
    """The number below which to go on, which is that of a change; raises InvalidParameter."""
    text = query.get("cursor")
    if text is None:
        return None
    if re.fullmatch(r"[1-9][0-9]{0,17}", text):
        return int(text)
    raise InvalidParameter("cursor", "Give the `next` of an earlier page.")


def read_dates(query: Mapping[str, str]) -> DateOrder:
    """In which order day and month stand in dates; raises InvalidParameter."""
    match query.get("dates", "iso"):
        case "iso" | "dmy" | "mdy" as order:
            return order
    raise InvalidParameter("dates", "Write iso, dmy or mdy.")


def read_rows(body: bytes) -> list[object]:
    """The rows of a batch, each whatever JSON it is. Raises MalformedJson or WrongRows."""
    content = _read_json(body)
    rows = content.get("rows") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise WrongRows('Send a JSON array of rows, or {"rows": [...]}.')
    if not 1 <= len(rows) <= MOST_ROWS:
        raise WrongRows(f"A batch has 1 to {MOST_ROWS} rows; this one has {len(rows)}.")
    return rows


def _read_json(body: bytes) -> object:
    try:
        text = body.decode()
        return json.loads(text, parse_int=_integer, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJson(f"The body is not JSON: {error.msg} at {where}.") from None
    except UnicodeDecodeError as error:
        raise MalformedJson(f"The body is not UTF-8: byte {error.start} is not.") from None
    except RecursionError:
        raise MalformedJson("The body is nested too deeply.") from None


def _integer(digits: str) -> int | str:
    # int() is slow on thousands of digits, and refuses them; as text they are just out of range.
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _refuse(constant: str) -> NoReturn:
    raise MalformedJson(f"The body is not JSON: {constant} is not a JSON value.")
