"""The RateLimit headers: what was announced stands on the answer, and on no other."""

from typing import NoReturn

import http_sf
from flask import Flask

from muster.http.problems import Problem
from muster.http.rate_limits import RateLimit, announce
from muster.http.service import Health, install_service

BYTES = RateLimit("bytes", 1000, 10, 86400, 60, unit="content-bytes")


def test_what_was_announced_stands_on_the_answer_whatever_it_is() -> None:
    app = Flask("some-service")
    install_service(app, "some-service", Health())

    @app.get("/limited")
    def limited() -> NoReturn:
        announce(RateLimit("bytes", 1000, 500, 86400, 61, unit="content-bytes"))
        announce(BYTES)
        announce(RateLimit("waits", 8, -1, unit="concurrent-requests"))
        raise Problem("too-many-bytes", "No.")

    announce(BYTES)
    answer = app.test_client().get("/limited")
    policy = http_sf.parse(answer.headers["RateLimit-Policy"].encode(), tltype="list")
    assert policy == [
        ("bytes", {"q": 1000, "qu": "content-bytes", "w": 86400}),
        ("waits", {"q": 8, "qu": "concurrent-requests"}),
    ]
    assert answer.headers["RateLimit"] == '"bytes";r=10;t=60, "waits";r=0'
    assert "RateLimit" not in app.test_client().get("/healthz").headers
