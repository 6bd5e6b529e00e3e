"""The query parameters of this service's routes, read strictly."""

import re

from flask import request

from muster.http.problems import Problem

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


def year() -> int:
    """`?year=`, 1000 to 9999. There is no default: any year would answer a question nobody asked.

    Raises Problem 422.
    """
    text = request.args.get("year", "")
    # int() would take 2_021 and the digits of any script.
    if not re.fullmatch(r"[1-9][0-9]{3}", text):
        raise unprocessable("year", "Give a year from 1000 to 9999, such as ?year=2021.")
    return int(text)


def limit() -> int:
    """`?limit=`, 1 to 1000 rows; 100 by default. Raises Problem 422."""
    text = request.args.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise unprocessable("limit", f"Give a number of rows from 1 to {MAX_LIMIT}.")
    return int(text)


def unprocessable(field: str, message: str) -> Problem:
    """422 for what the request says in `field`."""
    return Problem(
        422,
        "invalid-request",
        "Invalid request",
        f"{field}: {message}",
        errors=[{"field": field, "message": message}],
    )
