"""Headers and parameters that no browser sends: refused or passed over, never a 500."""

import json

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.web.pages import own_path
from gateway.web.session import COOKIE
from tests.unit.gateway.behind import Behind

HERE = {"Sec-Fetch-Site": "same-origin"}
EVERYTHING = "ana+uploads:read+uploads:write+uploads:admin+rows:write+queries:read+users:admin"
URLS = (
    "http://[",
    "//[",
    "http://[::1",
    "http://a:b",
    "/\\[",
    "http://\x80",
    "",
    "http://x:99999999",
)
HEADERS = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Encoding"),
    "Content-Digest",
    *("Content-Type", "Cookie", "Expect", "Host", "Idempotency-Key", "If-Match", "If-None-Match"),
    *("If-Modified-Since", "If-Range", "Origin", "Prefer", "Range", "Referer", "Sec-Fetch-Site"),
    *("X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "traceparent"),
)
ODD = st.one_of(
    st.sampled_from(
        [
            *URLS,
            *("bytes=", "bytes=-", "bytes=9999999999999999999999-", "bytes=0-0,1-1,2-2"),
            *('W/"', '"', "*", ",", ";", "=", "q=nan", "text/html;q=-1", "multipart/form-data"),
            *(
                "multipart/form-data; boundary=",
                "text/csv; charset=\x80",
                "Basic",
                "Basic =",
                "Basic /w==",
            ),
            *(
                "Bearer",
                "Bearer \xff",
                "wait",
                "wait=",
                "wait=-1",
                "wait=1e9",
                "gzip, gzip",
                "0x10",
                "sha-256=:AA==:",
                "sha-256=(1 2)",
            ),
        ]
    ),
    st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"),
        max_size=40,
    ),
)


@pytest.fixture(scope="module", params=[False, True], ids=["stranger", "user"])
def signed_in(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("url", URLS)
def test_an_origin_that_is_no_url_is_another_site(client: FlaskClient, url: str) -> None:
    client.set_cookie(COOKIE, EVERYTHING)
    assert client.post("/logout", headers={"Origin": url}).status_code == 403


@pytest.mark.parametrize("url", URLS)
def test_a_referrer_that_is_no_url_is_passed_over(client: FlaskClient, url: str) -> None:
    answer = client.post("/users", headers={**HERE, "Referer": url})
    assert (answer.status_code, answer.location) == (303, "/login")


@pytest.mark.parametrize("url", URLS)
def test_a_page_to_go_on_to_that_is_no_path_is_passed_over(client: FlaskClient, url: str) -> None:
    answer = client.get("/login", query_string={"next": url})
    assert answer.status_code == 200
    assert not own_path(url).startswith("//")


@pytest.mark.parametrize("field", ["email", "password"])
def test_credentials_that_are_nobodys_for_their_length_are_wrong(
    client_with_behind: FlaskClient, behind: Behind, field: str
) -> None:
    answer = client_with_behind.post("/login", data={field: "x" * 9000}, headers=HERE)
    assert answer.status_code == 401
    assert "Wrong email or password" in answer.text
    assert behind.asked == []


def test_an_answer_that_is_none_of_our_services_is_none(
    client_with_behind: FlaskClient, behind: Behind
) -> None:
    behind.status, behind.body = 431, b"<html>Too large</html>"
    answer = client_with_behind.post("/login", data={"email": "a"}, headers=HERE)
    assert answer.status_code == 503


def routes(app: OpenAPI) -> list[tuple[str, str]]:
    """Every method and path that is served, with something in place of its variables."""
    adapter = app.url_map.bind("localhost")
    known = {"table": "jobs", "question": "hires-by-quarter"}
    return [
        (
            method,
            adapter.build(rule.endpoint, {name: known.get(name, "u1") for name in rule.arguments}),
        )
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
    ]


@pytest.fixture
def odd_client(client_with_behind: FlaskClient, behind: Behind, signed_in: bool) -> FlaskClient:
    problem = {"type": "/docs/errors#not-found", "title": "Not found", "detail": "no"}
    behind.status, behind.body = 404, json.dumps(problem).encode()
    if signed_in:
        client_with_behind.set_cookie(COOKIE, EVERYTHING)
    return client_with_behind


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_no_odd_header_gives_a_500(odd_client: FlaskClient, data: st.DataObject) -> None:
    app = odd_client.application
    assert isinstance(app, OpenAPI)
    method, path = data.draw(st.sampled_from(routes(app)))
    headers = data.draw(st.dictionaries(st.sampled_from(HEADERS), ODD, max_size=4))
    query = data.draw(
        st.dictionaries(
            st.sampled_from(["next", "from", "cursor", "year", "state", "limit"]), ODD, max_size=2
        )
    )
    answer = odd_client.open(path, method=method, headers=headers, query_string=query)
    assert answer.status_code not in {500, 501}, (method, path, headers, query, answer.text)
