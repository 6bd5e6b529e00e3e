"""What is handed on to the services behind, and what comes back."""

import socket
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from gateway.services import Services
from muster.http.service import provided
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.fakes import bearer

QUERIES = bearer("ana", "queries:read")
ROWS = bearer("ana", "rows:write")
ADMIN = bearer("ana", "users:admin")


@pytest.fixture
def client(client_with_behind: FlaskClient) -> FlaskClient:
    return client_with_behind


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Those that were made, in order."""
    made: list[socket.socket] = []
    connect = HTTPConnection.connect

    def noted(connection: HTTPConnection) -> None:
        connect(connection)
        made.append(connection.sock)

    monkeypatch.setattr(HTTPConnection, "connect", noted)
    return made


@pytest.mark.parametrize(
    ("verb", "path", "headers"),
    [
        ("POST", "/v1/login", {"Authorization": "Basic YTpi"}),
        ("GET", "/v1/me", QUERIES),
        ("POST", "/v1/logout", QUERIES),
        ("POST", "/v1/me/password", QUERIES),
        ("GET", "/v1/users", ADMIN),
        ("POST", "/v1/users", ADMIN),
        ("PATCH", "/v1/users/u1", ADMIN),
        ("DELETE", "/v1/users/u1", ADMIN),
        ("GET", "/v1/queries/hires-by-quarter?year=2021", QUERIES),
        ("GET", "/v1/queries/departments-above-mean?year=2021", QUERIES),
        ("GET", "/v1/tables/jobs/rows?limit=5&cursor=a%2Fb", QUERIES),
        ("POST", "/v1/tables/jobs/rows", ROWS),
        ("POST", "/v1/tables/jobs/check", ROWS),
    ],
)
def test_a_request_arrives_as_it_was_sent(
    client: FlaskClient, behind: Behind, verb: str, path: str, headers: dict[str, str]
) -> None:
    has_body = verb in {"POST", "PATCH"} and path not in {"/v1/login", "/v1/logout"}
    client.open(path, method=verb, headers=headers, data=b"[1]" if has_body else None)
    ((asked_verb, asked_path, asked_headers, body),) = behind.asked
    assert (asked_verb, asked_path) == (verb, path)
    assert asked_headers["Authorization"] == headers["Authorization"]
    assert body == (b"[1]" if has_body else b"")


def test_a_token_is_refused_here_as_soon_as_auth_has_ended_it(
    client: FlaskClient, behind: Behind
) -> None:
    behind.status = 503
    client.post("/v1/logout", headers=QUERIES)
    assert client.get("/v1/tables", headers=QUERIES).status_code == 200
    behind.status = 204
    assert client.post("/v1/logout", headers=QUERIES).status_code == 204
    assert client.get("/v1/tables", headers=QUERIES).status_code == 401


def test_the_headers_that_matter_go_along_and_others_do_not(
    client: FlaskClient, behind: Behind
) -> None:
    sent = {
        "Accept": "text/csv",
        "Content-Type": "application/json",
        "If-None-Match": '"1"',
        "Idempotency-Key": "k",
        "X-Request-Id": "r-1",
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    }
    client.post(
        "/v1/tables/jobs/rows",
        headers={**ROWS, **sent, "Cookie": "a=b", "X-Forwarded-For": "6.6.6.6", "Host": "evil"},
        data=b"[]",
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    headers = behind.asked[0][2]
    assert {name: headers[name] for name in sent} == sent
    assert headers["X-Forwarded-For"] == "192.0.2.7"
    assert "Cookie" not in headers
    assert headers["Host"] in behind.url


def test_a_login_has_no_body_that_anybody_could_dawdle_over(
    client: FlaskClient, behind: Behind
) -> None:
    client.post("/v1/login", data=b"x" * 100)
    assert behind.asked[0][3] == b""


def test_a_trusted_proxy_says_who_the_client_is(
    make_app: Callable[..., OpenAPI], behind: Behind
) -> None:
    app = make_app(auth_url=behind.url, trusted_proxies=1)
    app.test_client().post("/v1/login", headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.9"})
    provided(app, Services).auth.close()
    assert behind.asked[0][2]["X-Forwarded-For"] == "192.0.2.9"


def test_the_answer_comes_back_with_what_concerns_the_client(
    client: FlaskClient, behind: Behind
) -> None:
    behind.status = 429
    behind.headers = {
        "Content-Type": "application/problem+json",
        "ETag": '"2"',
        "Location": "/v1/users/u2",
        "Link": '</v1/users?cursor=2>; rel="next"',
        "Idempotent-Replayed": "true",
        "Retry-After": "7",
        "RateLimit": '"logins";r=0;t=7',
        "RateLimit-Policy": '"logins";q=10;w=600',
        "WWW-Authenticate": "Basic",
        "Cache-Control": "no-store",
        "Set-Cookie": "a=b",
        "Server": "secret/1.0",
    }
    behind.body = b'{"status":429}'
    answer = client.post("/v1/login")
    assert (answer.status_code, answer.data) == (429, behind.body)
    kept = {name: behind.headers[name] for name in list(behind.headers)[:10]}
    assert {name: answer.headers[name] for name in kept} == kept
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("status", [429, 503])
def test_come_again_later_is_for_the_client_to_heed(
    client: FlaskClient, behind: Behind, status: int
) -> None:
    behind.status, behind.headers = status, {"Retry-After": "9"}
    answer = client.get("/v1/me", headers=QUERIES)
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "9")
    assert len(behind.asked) == 1


def test_head_tells_the_length_and_the_tag_that_get_would(
    client: FlaskClient, behind: Behind
) -> None:
    behind.headers, behind.body = {"ETag": '"1"', "Content-Type": "application/json"}, b"{}"
    answer = client.head("/v1/queries/hires-by-quarter?year=2021", headers=QUERIES)
    assert (answer.data, answer.headers["Content-Length"]) == (b"", "2")
    assert answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_stays_one(
    client: FlaskClient, behind: Behind, status: int
) -> None:
    behind.status = status
    answer = client.get("/v1/queries/hires-by-quarter?year=2021", headers=QUERIES)
    assert (answer.status_code, answer.data) == (status, b"")
    assert "Content-Type" not in answer.headers


def test_a_service_whose_machine_died_is_noticed_within_seconds(
    client: FlaskClient, connections: list[socket.socket]
) -> None:
    """Nothing acknowledges what is sent then, or answers a probe of the silent connection."""
    client.get("/v1/me", headers=QUERIES)
    (connection,) = connections
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    wanted = {socket.TCP_USER_TIMEOUT: 5000, socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 1}
    found = {name: connection.getsockopt(socket.IPPROTO_TCP, name) for name in wanted}
    assert found == wanted


def test_a_service_that_is_away_answers_503(make_app: Callable[..., OpenAPI]) -> None:
    client = make_app(auth_url="http://127.0.0.1:1").test_client()
    answer = client.post("/v1/login")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("year", ["", "?year=999", "?year=10000", "?year=2_021", "?year=x"])
@pytest.mark.parametrize("question", ["hires-by-quarter", "departments-above-mean"])
def test_a_year_that_is_none_is_not_handed_on(
    client: FlaskClient, behind: Behind, question: str, year: str
) -> None:
    answer = client.get(f"/v1/queries/{question}{year}", headers=QUERIES)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "year"
    assert behind.asked == []


@pytest.mark.parametrize("verb", ["get", "post"])
def test_the_rows_of_an_unknown_table_are_not_found(
    client: FlaskClient, behind: Behind, verb: str
) -> None:
    headers = bearer("ana", "queries:read", "rows:write")
    answer = getattr(client, verb)("/v1/tables/nobody/rows", headers=headers)
    assert answer.status_code == 404
    assert behind.asked == []


def test_a_batch_too_large_is_not_read_into_memory(client: FlaskClient, behind: Behind) -> None:
    answer = client.post(
        "/v1/tables/jobs/rows", headers=ROWS, environ_overrides={"CONTENT_LENGTH": "5000000"}
    )
    assert answer.status_code == 413
    assert behind.asked == []


def test_the_tables_are_declared_to_anybody_logged_in(client: FlaskClient) -> None:
    tables = client.get("/v1/tables", headers=bearer("ana")).get_json()["tables"]
    assert [table["name"] for table in tables] == ["departments", "jobs", "hired_employees"]
    one = client.get("/v1/tables/jobs", headers=bearer("ana"))
    assert one.get_json() == tables[1]
    assert client.get("/v1/tables/nobody", headers=bearer("ana")).status_code == 404


def test_a_table_as_csv_is_handed_back_as_it_comes_and_breaks_off_where_it_did(
    client: FlaskClient, behind: Behind
) -> None:
    behind.headers, behind.body = {"Content-Type": "text/csv", "Vary": "Accept"}, b"x" * 200_000
    asked = {**QUERIES, "Accept": "text/csv"}
    with client.get("/v1/tables/jobs/rows?search=a", headers=asked, buffered=False) as answer:
        assert (answer.status_code, answer.content_type) == (200, "text/csv")
        parts = [*answer.iter_encoded()]
    assert b"".join(parts) == behind.body
    assert max(map(len, parts)) < 100_000
    behind.headers = {"Content-Type": "text/csv", "Transfer-Encoding": "chunked"}
    behind.body = b"5\r\n1,Coo\r\nnothing\r\n"
    with (
        pytest.raises(HTTPError),
        client.get("/v1/tables/jobs/rows", headers=asked, buffered=False) as answer,
    ):
        b"".join(answer.iter_encoded())


@pytest.mark.parametrize("query", ["department=7", "limit=0", "search=" + "x" * 256, "names=often"])
def test_what_no_table_has_is_refused_before_it_is_asked(
    client: FlaskClient, behind: Behind, query: str
) -> None:
    answer = client.get(f"/v1/tables/hired_employees/rows?{query}", headers=QUERIES)
    assert answer.status_code == 422
    assert behind.asked == []
