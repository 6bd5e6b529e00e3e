"""Every error over HTTP is a problem document (RFC 9457) with the request's id."""

import errno
from typing import Any, NoReturn

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from muster.http.json_text import json_text
from muster.http.problems import Problem, answer_with, unavailable
from muster.http.service import Health, install_service
from muster.weather import DISK


class TooMany(Exception):
    pass


@pytest.fixture
def app() -> Flask:
    app = Flask("some-service")
    install_service(app, "some-service", Health())
    answer_with(app, {TooMany: lambda error: Problem("wrong-rows", f"{error} rows")})

    @app.get("/problem")
    def problem() -> NoReturn:
        raise Problem(
            "already-final",
            "It is so already.",
            errors=[{"row": 1, "code": "type-error"}],
            headers={"Retry-After": "3"},
            state="queued",
        )

    @app.get("/mapped")
    def mapped() -> NoReturn:
        raise TooMany("7")

    @app.get("/bug")
    def bug() -> NoReturn:
        raise RuntimeError("the password is hunter2")

    @app.get("/system/<int:number>")
    def system(number: int) -> NoReturn:
        raise OSError(number, "so it was planned")

    @app.get("/busy")
    def busy() -> NoReturn:
        raise unavailable("The broker", seconds=5)

    return app


def get(app: Flask, path: str, method: str = "GET") -> TestResponse:
    return app.test_client().open(path, method=method, headers={"X-Request-Id": "r-1"})


def document(answer: TestResponse) -> dict[str, Any]:
    assert answer.mimetype == "application/problem+json"
    content: dict[str, Any] = answer.get_json()
    assert answer.text == json_text(content)
    assert content["status"] == answer.status_code
    assert content["request_id"] == answer.headers["X-Request-Id"] == "r-1"
    return content


def test_a_problem_is_answered_with_all_it_says(app: Flask) -> None:
    answer = get(app, "/problem")
    assert document(answer) == {
        "type": "/docs/errors#already-final",
        "title": "Already final",
        "status": 409,
        "detail": "It is so already.",
        "request_id": "r-1",
        "errors": [{"row": 1, "code": "type-error"}],
        "state": "queued",
    }
    assert answer.headers["Retry-After"] == "3"


def test_an_exception_of_the_rules_is_answered_as_the_app_says(app: Flask) -> None:
    content = document(get(app, "/mapped"))
    assert (content["status"], content["detail"]) == (422, "7 rows")
    assert "errors" not in content


def test_an_unknown_path_is_a_problem(app: Flask) -> None:
    assert document(get(app, "/nowhere"))["type"] == "/docs/errors#not-found"


def test_a_method_that_is_not_allowed_is_a_problem_that_names_those_that_are(app: Flask) -> None:
    answer = get(app, "/problem", method="DELETE")
    assert document(answer)["status"] == 405
    assert "GET" in answer.headers["Allow"]


def test_a_bug_is_a_problem_that_shows_nothing_of_it(app: Flask) -> None:
    answer = get(app, "/bug")
    assert document(answer)["status"] == 500
    assert "hunter2" not in answer.text


def test_what_does_not_answer_now_says_when_to_come_again(app: Flask) -> None:
    answer = get(app, "/busy")
    assert document(answer)["detail"] == "The broker does not answer now; try again."
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("number", sorted(DISK), ids=errno.errorcode.get)
def test_want_of_room_is_temporary(app: Flask, number: int) -> None:
    answer = get(app, f"/system/{number}")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_another_error_of_the_system_is_a_bug(app: Flask) -> None:
    assert get(app, f"/system/{errno.EBADF}").status_code == 500
