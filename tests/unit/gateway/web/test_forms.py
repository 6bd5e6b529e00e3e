"""How large a form of the page may be, and of which kind."""

import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.uploads.filenames import clean_filename
from gateway.web.session import COOKIE
from tests.unit.gateway.behind import Behind

HERE = {"Sec-Fetch-Site": "same-origin"}
PERMISSIONS = "ana+uploads:read+uploads:write+users:admin"
PATHS = ("/login", "/account/password", "/users", "/users/u1")


@pytest.fixture
def browser(client: FlaskClient) -> FlaskClient:
    client.set_cookie(COOKIE, PERMISSIONS)
    return client


def posted(client: FlaskClient, path: str, body: bytes, **more: Any) -> Any:
    more.setdefault("content_type", "application/x-www-form-urlencoded")
    return client.post(path, data=body, headers=HERE, **more)


@pytest.mark.parametrize("path", PATHS)
def test_a_form_has_a_greatest_size(browser: FlaskClient, behind: Behind, path: str) -> None:
    answer = posted(browser, path, b"email=" + b"x" * 65_536)
    assert answer.status_code == 413
    assert "too long: shorten it" in answer.text
    assert behind.asked == []


@pytest.mark.parametrize("path", PATHS)
def test_a_form_has_a_greatest_number_of_fields(
    browser: FlaskClient, behind: Behind, path: str
) -> None:
    answer = posted(browser, path, b"a&" * 20_000)
    assert answer.status_code == 413
    assert "Too much was filled in at once: send it in parts." in answer.text
    assert behind.asked == []


@pytest.mark.parametrize("path", PATHS)
def test_no_form_but_that_of_an_upload_takes_files(
    browser: FlaskClient, behind: Behind, path: str
) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="email"; filename="f"\r\n\r\nx\r\n--b--\r\n'
    )
    answer = posted(browser, path, form, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 415
    assert "application/x-www-form-urlencoded" in answer.text
    assert behind.asked == []


def test_a_huge_form_takes_no_memory(client: FlaskClient) -> None:
    body = b"a&" * (20 * 1024 * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert posted(client, "/login", body).status_code == 413
    # Of which the test's own client has some.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_corrected_rows_are_bounded_in_bytes_and_in_fields(
    make_app: Callable[..., OpenAPI],
) -> None:
    browser = make_app(max_corrections_bytes=100_000).test_client()
    browser.set_cookie(COOKIE, PERMISSIONS)
    large = posted(browser, "/uploads/u1/corrections", b"c1-1=" + b"x" * 100_000)
    assert large.status_code == 413
    assert "too long: shorten it" in large.text
    many = posted(browser, "/uploads/u1/corrections", b"a&" * 40_000)
    assert many.status_code == 413
    assert "Too much was filled in at once" in many.text


def test_a_long_file_name_costs_no_time() -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="255"):
        _cleaned("x" * 3_000_000)
    # A quadratic expression would take hours.
    assert time.process_time() - began < 5


def _cleaned(name: str) -> str:
    from gateway.errors import BadFilename

    try:
        return clean_filename(name)
    except BadFilename as error:
        raise ValueError(str(error)) from error
