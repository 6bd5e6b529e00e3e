"""The browser's session: a cookie with the token, which other sites can't use."""

import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.web.pages import own_path
from gateway.web.session import COOKIE, HOST_COOKIE
from tests.unit.gateway.behind import Behind

TOKEN = "ana+uploads:read+uploads:write+queries:read"
HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    client.set_cookie(COOKIE, TOKEN)
    return client


def test_who_is_not_signed_in_is_shown_the_form_and_brought_back(client: FlaskClient) -> None:
    answer = client.get("/account?a=1")
    assert (answer.status_code, answer.location) == (303, "/login?next=/account?a%3D1")
    assert 'name="next" value="/account?a=1"' in client.get(answer.location).text


def test_who_sends_a_form_without_a_session_comes_back_to_its_page(
    client: FlaskClient,
) -> None:
    headers = {**HERE, "Referer": "http://localhost/uploads/u1?from=50"}
    answer = client.post("/uploads/u1/corrections", headers=headers)
    assert answer.location == "/login?next=/uploads/u1"
    headers = {**HERE, "Referer": "http://elsewhere.example/uploads/u1"}
    assert client.post("/uploads/u1/corrections", headers=headers).location == "/login"


def test_signing_in_keeps_the_token_where_no_script_and_no_other_site_gets_it(
    client: FlaskClient, behind: Behind
) -> None:
    behind.body = json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode()
    form = {"email": "ana@example.com", "password": "secret", "next": "/account"}
    answer = client.post("/login", data=form, headers=HERE)
    assert (answer.status_code, answer.location) == (303, "/account")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=3600"} <= set(cookie.split("; "))
    assert behind.asked[0][2]["Authorization"] == "Basic YW5hQGV4YW1wbGUuY29tOnNlY3JldA=="
    assert "ana@example.com" in client.get("/account").text


def test_the_cookie_is_secure_where_the_page_is(client: FlaskClient, behind: Behind) -> None:
    behind.body = json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode()
    answer = client.post("/login", data={}, headers=HERE, base_url="https://muster.example")
    assert "Secure" in answer.headers["Set-Cookie"]


def over_https(make_app: Callable[..., OpenAPI], behind: Behind) -> FlaskClient:
    """A browser where users reach Muster by HTTPS, whatever the last hop to it is."""
    behind.body = json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode()
    return make_app(public_url="https://muster.example", auth_url=behind.url).test_client()


def test_over_https_no_other_host_can_set_the_cookie(
    make_app: Callable[..., OpenAPI], behind: Behind
) -> None:
    client = over_https(make_app, behind)
    cookie = client.post("/login", data={}, headers=HERE).headers["Set-Cookie"]
    assert cookie.startswith(f"{HOST_COOKIE}=")
    # What the prefix demands of it.
    assert {"Secure", "Path=/", "HttpOnly"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    out = client.post("/logout", headers=HERE).headers["Set-Cookie"]
    assert out.startswith(f"{HOST_COOKIE}=;")
    assert "Secure" in out


def test_over_https_the_plain_name_is_no_session(
    make_app: Callable[..., OpenAPI], behind: Behind
) -> None:
    client = over_https(make_app, behind)
    client.set_cookie(COOKIE, TOKEN)
    assert client.get("/account").location == "/login?next=/account"
    client.set_cookie(HOST_COOKIE, TOKEN, secure=True)
    assert "ana@example.com" in client.get("/account", base_url="https://localhost").text


@pytest.mark.parametrize("path", ["/login", "/v1/uploads", "/nowhere"])
def test_over_https_browsers_are_told_to_stay_there(
    make_app: Callable[..., OpenAPI], behind: Behind, client: FlaskClient, path: str
) -> None:
    told = over_https(make_app, behind).get(path).headers["Strict-Transport-Security"]
    assert told == "max-age=31536000; includeSubDomains"
    assert "Strict-Transport-Security" not in client.get(path).headers


def test_a_wrong_password_gives_the_form_again(client: FlaskClient, behind: Behind) -> None:
    behind.status = 401
    problem = {"type": "/docs/errors#unauthorized", "title": "t", "detail": "d"}
    behind.body = json.dumps(problem).encode()
    answer = client.post("/login", data={"email": "<b>@example.com"}, headers=HERE)
    assert answer.status_code == 401
    assert "Wrong email or password" in answer.text
    assert "&lt;b&gt;@example.com" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_signing_out_ends_the_token_and_forgets_it(signed_in: FlaskClient, behind: Behind) -> None:
    behind.status = 204
    assert signed_in.post("/logout", headers=HERE).location == "/login"
    assert signed_in.get_cookie(COOKIE) is None
    ((verb, path, headers, _),) = behind.asked
    assert (verb, path, headers["Authorization"]) == ("POST", "/v1/logout", f"Bearer {TOKEN}")
    signed_in.set_cookie(COOKIE, TOKEN)
    assert signed_in.get("/account").status_code == 303


@pytest.mark.parametrize("token", [None, "expired1"])
def test_who_is_signed_out_already_can_sign_out(
    client: FlaskClient, behind: Behind, token: str | None
) -> None:
    if token:
        client.set_cookie(COOKIE, token)
    assert client.post("/logout", headers=HERE).location == "/login"
    assert client.get_cookie(COOKIE) is None
    assert behind.asked == []


def test_signing_out_while_auth_is_away_says_what_is_still_valid(
    signed_in: FlaskClient, behind: Behind
) -> None:
    behind.status = 503
    behind.body = json.dumps({"type": "t:unavailable", "title": "t", "detail": "d"}).encode()
    answer = signed_in.post("/logout", headers=HERE)
    assert answer.status_code == 503
    assert "Signed out of this browser only" in answer.text
    assert signed_in.get_cookie(COOKIE) is None


def test_the_api_takes_the_cookie_to_read(signed_in: FlaskClient) -> None:
    assert signed_in.get("/v1/uploads").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/uploads?table=jobs", "/login", "/logout"])
def test_another_site_can_change_nothing_with_the_cookie(
    signed_in: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    answer = signed_in.post(path, data=b"1,a\n", content_type="text/csv", headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert '"uploads":[]' in signed_in.get("/v1/uploads").text.replace(" ", "")


@pytest.mark.parametrize("headers", [HERE, {"Origin": "http://localhost"}])
def test_our_own_page_can(signed_in: FlaskClient, headers: dict[str, str]) -> None:
    answer = signed_in.post(
        "/v1/uploads?table=jobs", data=b"1,a\n", content_type="text/csv", headers=headers
    )
    assert answer.status_code == 202


def test_a_header_goes_before_the_cookie(signed_in: FlaskClient) -> None:
    answer = signed_in.get("/v1/uploads", headers={"Authorization": "Bearer bob"})
    assert answer.status_code == 403


def test_a_cookie_that_is_no_token_is_passed_over(client: FlaskClient) -> None:
    client.set_cookie(COOKIE, "a\r\nX-Evil: 1")
    assert client.get("/v1/uploads").status_code == 401


@pytest.mark.parametrize(
    "location",
    [None, "", "//elsewhere", "/\\elsewhere", "https://elsewhere", "account", "/\t/elsewhere"],
)
def test_nobody_is_sent_to_another_host(location: str | None) -> None:
    assert own_path(location) == "/"


def test_a_browser_gets_a_page_where_nothing_is(client: FlaskClient) -> None:
    browser = {"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"}
    for path, headers, kind in (
        ("/nowhere", browser, "text/html"),
        ("/nowhere", {"Accept": "*/*"}, "application/problem+json"),
        ("/v1/nowhere", browser, "application/problem+json"),
    ):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.mimetype) == (404, kind)


def test_every_page_forbids_what_it_does_not_need(client: FlaskClient) -> None:
    policy = client.get("/login").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
