"""What every service says of its answers, how large a body it takes, and what it counts."""

import pytest
from flask import Flask, Response, request

from muster.http.service import Health, install_service


@pytest.fixture
def app() -> Flask:
    app = Flask("limits-test")
    install_service(app, "limits-test", Health())

    @app.get("/things/<name>")
    def thing(name: str) -> str:
        return name

    return app


@pytest.mark.parametrize("path", ["/things/one", "/nowhere", "/healthz", "/metrics"])
def test_every_answer_says_what_no_browser_may_do_with_it(app: Flask, path: str) -> None:
    headers = app.test_client().get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; base-uri 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_an_answer_with_a_tag_may_be_kept_by_whoever_asked(app: Flask) -> None:
    @app.get("/tagged")
    def tagged() -> Response:
        response = Response("x")
        response.set_etag("1")
        return response

    assert app.test_client().get("/tagged").headers["Cache-Control"] == "private, no-cache"


def test_methods_and_paths_that_nobody_serves_make_no_series(app: Flask) -> None:
    client = app.test_client()
    before = client.get("/metrics").text
    for number in range(50):
        client.open(f"/nowhere/{number}", method=f"X{number}")
        client.open("/things/one", method=f"X{number}")
    new = set(client.get("/metrics").text.splitlines()) - set(before.splitlines())
    counted = [line for line in new if line.startswith("muster_http_requests_total{method=")]
    assert sorted(line.partition("}")[0] for line in counted if '"other"' in line) == [
        'muster_http_requests_total{method="other",route="(none)",service="limits-test",status="404"',
        'muster_http_requests_total{method="other",route="(none)",service="limits-test",status="405"',
    ]
    assert not any('method="X' in line for line in counted)


def test_no_body_is_larger_than_may_be_and_the_answer_names_the_limit(app: Flask) -> None:
    @app.post("/body")
    def body() -> str:
        return str(len(request.get_data()))

    client = app.test_client()
    assert client.post("/body", data=b"x" * 65_536).text == "65536"
    refused = client.post("/body", data=b"x" * 65_537)
    assert refused.status_code == 413
    assert refused.get_json()["detail"] == "This body may have 65,536 bytes at most."
