"""What an `Accept` header chooses, and what it rules out (RFC 9110, section 12.5.1)."""

import pytest
from flask import Flask

from muster.http.negotiation import wanted_type
from muster.http.problems import Problem

JSON, CSV = "application/json", "text/csv"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/*", CSV),
        ("text/csv, */*", CSV),
        ("*/*, text/csv", CSV),
        ("text/csv, application/json", CSV),
        ("application/json;q=0, */*", CSV),
        ("text/csv;q=0, text/*", None),
        ("*/*;q=0.5, application/json;q=0.1", CSV),
        ("application/json;q=0.1, text/csv;q=0.2", CSV),
        ("image/png", None),
        ("*/*;q=0", None),
    ],
)
def test_the_type_that_is_liked_best_is_chosen(accept: str | None, expected: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    with Flask("test").test_request_context(headers=headers):
        if expected is not None:
            assert wanted_type(JSON, CSV) == expected
            return
        with pytest.raises(Problem) as refused:
            wanted_type(JSON, CSV)
    assert (refused.value.status, refused.value.headers) == (406, {"Vary": "Accept"})
    assert refused.value.detail == "The answer comes as application/json or text/csv."
