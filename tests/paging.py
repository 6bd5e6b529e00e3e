"""Whether the pages of a list lead from one to the next."""

from urllib.parse import parse_qs, quote, urlsplit

from werkzeug.test import TestResponse


def assert_next_is_linked(answer: TestResponse) -> None:
    """The `Link` of the page leads to its `next`, with all else as it was asked; or there is none.

    RFC 8288.
    """
    cursor = answer.get_json()["next"]
    if cursor is None:
        assert "Link" not in answer.headers
        return
    link, _, relation = answer.headers["Link"].partition("; ")
    place, asked = urlsplit(link.removeprefix("<").removesuffix(">")), answer.request
    assert (relation, place.path) == ('rel="next"', quote(asked.path))
    query = parse_qs(asked.query_string.decode(), keep_blank_values=True)
    assert parse_qs(place.query, keep_blank_values=True) == {**query, "cursor": [cursor]}
