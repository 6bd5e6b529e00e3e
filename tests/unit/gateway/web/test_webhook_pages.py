"""The pages of my webhooks, for which notification answers."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.web.session import COOKIE
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.web.forms import form_id

HERE = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "<img src=x onerror=alert(1)>"
ID, DELIVERY = "a" * 32, f"msg_{'b' * 32}"
PATH = f"/account/webhooks/{ID}"
WEBHOOK = {
    "id": ID,
    "url": "https://hooks.example.com/muster?key=s3cret",
    "description": HOSTILE,
    "enabled": True,
    "reason": None,
    "failing_since": None,
    "created_at": "2021-11-07T02:48:42.250Z",
}
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SENT = {
    "id": DELIVERY,
    "event": "upload.finished",
    "upload": "u1",
    "created_at": "2021-11-07T02:48:42.250Z",
    "state": "dead",
    "attempts": 3,
    "last_attempt_at": "2021-11-07T02:48:42.250Z",
    "last_status": 500,
    "reason": HOSTILE,
    "next_attempt_at": None,
}
WAITING = {
    **SENT,
    "id": f"msg_{'c' * 32}",
    "upload": None,
    "state": "waiting",
    "next_attempt_at": "2021-11-07T02:58:42.250Z",
}


@pytest.fixture
def browser(client: FlaskClient, behind: Behind) -> FlaskClient:
    client.set_cookie(COOKIE, "ana")
    behind.answers |= {
        "GET /v1/webhooks": (200, {"webhooks": [WEBHOOK]}),
        f"GET /v1/webhooks/{ID}": (200, WEBHOOK),
        f"GET /v1/webhooks/{ID}/deliveries": (200, {"deliveries": [SENT, WAITING], "next": "1-x"}),
    }
    return client


def asked(behind: Behind) -> list[tuple[str, str, Any]]:
    """What was asked of notification but to be shown."""
    return [
        (verb, path, json.loads(body) if body else None)
        for verb, path, _, body in behind.asked
        if verb != "GET"
    ]


def refusal(status: int, detail: str, *errors: dict[str, str]) -> tuple[int, object]:
    document = {"type": "/docs/errors#x", "title": "X", "detail": detail}
    return status, {**document, **({"errors": errors} if errors else {})}


def show_made(answer: TestResponse, browser: FlaskClient) -> TestResponse:
    """What the form that made something leads to: a page that can be loaded again."""
    assert answer.status_code == 303
    return browser.get(answer.headers["Location"])


def test_a_secret_is_shown_once_and_only_the_host_is_noted(
    browser: FlaskClient, behind: Behind
) -> None:
    behind.answers["POST /v1/webhooks"] = (201, {**WEBHOOK, "secret": SECRET})
    form = {"url": f" {WEBHOOK['url']} ", "description": HOSTILE}
    answer = show_made(browser.post("/account/webhooks", data=form, headers=HERE), browser)
    assert f'<code id="secret">{SECRET}</code>' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert HOSTILE not in answer.text
    new = {"url": WEBHOOK["url"], "description": HOSTILE}
    assert asked(behind) == [("POST", "/v1/webhooks", new)]
    assert behind.noted == [{"action": "webhook-made", "subject": "hooks.example.com"}]
    assert SECRET not in browser.get("/account/webhooks").text


def test_what_is_wrong_is_said_at_its_field_and_what_was_filled_in_stays(
    browser: FlaskClient, behind: Behind
) -> None:
    errors = {"field": "url", "message": "A webhook is called by https."}
    behind.answers["POST /v1/webhooks"] = refusal(422, "x", errors)
    shown = browser.get("/account/webhooks")
    form = {"url": "http://h.example", "description": "payroll", "form": form_id(shown)}
    answer = browser.post("/account/webhooks", data=form, headers=HERE)
    assert answer.status_code == 422
    assert 'aria-describedby="url-error"' in answer.text
    assert 'id="url-error" role="alert">A webhook is called by https.</p>' in answer.text
    assert 'value="http://h.example"' in answer.text
    assert 'value="payroll"' in answer.text
    assert answer.text.count("aria-invalid") == 1
    # Nothing was made: what is sent again is not taken for a second click.
    assert browser.post("/account/webhooks", data=form, headers=HERE).status_code == 422


def test_deliveries_are_listed_as_text_with_what_can_be_done(
    browser: FlaskClient, behind: Behind
) -> None:
    text = browser.get(f"{PATH}?cursor=2-x").text
    assert HOSTILE not in text
    assert 'href="/uploads/u1"' in text
    assert "2021-11-07 02:58:42 UTC" in text
    assert text.count("/replay") == 2
    assert text.count('data-part="replay" hidden') == 1
    assert f'href="{PATH}?cursor=1-x" rel="next"' in text
    assert any(path.endswith("/deliveries?cursor=2-x") for _, path, _, _ in behind.asked)


def test_what_is_disabled_is_neither_tested_nor_sent_again(
    browser: FlaskClient, behind: Behind
) -> None:
    behind.answers[f"GET /v1/webhooks/{ID}"] = (200, {**WEBHOOK, "enabled": False})
    text = browser.get(PATH).text
    assert f"{PATH}/enable" in text
    assert f"{PATH}/test" not in text
    assert "/replay" not in text


@pytest.mark.parametrize(
    ("path", "form", "verb", "called", "body", "note", "to"),
    [
        ("", {"url": "u"}, "PATCH", "", {"url": "u", "description": ""}, "changed", PATH),
        ("/enable", {}, "PATCH", "", {"enabled": True}, "changed", PATH),
        ("/disable", {}, "PATCH", "", {"enabled": False}, "changed", PATH),
        ("/delete", {}, "DELETE", "", None, "deleted", "/account/webhooks"),
        ("/test", {}, "POST", "/test", None, None, f"{PATH}#deliveries"),
        (
            *(f"/deliveries/{DELIVERY}/replay", {}, "POST", f"/deliveries/{DELIVERY}/replay"),
            *(None, None, f"{PATH}#deliveries"),
        ),
    ],
)
def test_each_button_asks_for_one_thing(
    browser: FlaskClient,
    behind: Behind,
    path: str,
    form: dict[str, str],
    verb: str,
    called: str,
    body: object,
    note: str | None,
    to: str,
) -> None:
    assert browser.post(PATH + path, data=form, headers=HERE).location == to
    assert asked(behind) == [(verb, f"/v1/webhooks/{ID}{called}", body)]
    noted = [{"action": f"webhook-{note}", "subject": ID}] if note else []
    assert behind.noted == noted


def test_a_new_secret_is_made_once_by_a_form_sent_twice_and_shown_once(
    browser: FlaskClient, behind: Behind
) -> None:
    behind.answers[f"PATCH /v1/webhooks/{ID}"] = (200, {**WEBHOOK, "secret": SECRET})
    form = {"form": form_id(browser.get(PATH))}
    answer = browser.post(f"{PATH}/secret", data=form, headers=HERE)
    assert SECRET in show_made(answer, browser).text
    again = browser.post(f"{PATH}/secret", data=form, headers=HERE)
    assert (again.status_code, SECRET in again.text) == (409, False)
    assert asked(behind) == [("PATCH", f"/v1/webhooks/{ID}", {"rotate_secret": True})]
    assert SECRET not in browser.get(PATH).text


@pytest.mark.parametrize(
    ("status", "path"), [(429, "/test"), (409, f"/deliveries/{DELIVERY}/replay")]
)
def test_what_can_not_be_sent_is_said_on_the_page(
    browser: FlaskClient, behind: Behind, status: int, path: str
) -> None:
    behind.answers[f"POST /v1/webhooks/{ID}{path}"] = refusal(status, "Not just now.")
    answer = browser.post(f"{PATH}{path}", headers=HERE)
    assert answer.status_code == status
    assert "Not just now." in answer.text
    assert "Send a test" in answer.text


@pytest.mark.parametrize("path", ["/..%2Fme", "/a%3Fb", "/\u0660", f"/{ID}/deliveries/x/replay"])
def test_an_id_does_not_become_another_path(
    browser: FlaskClient, behind: Behind, path: str
) -> None:
    assert browser.post(f"/account/webhooks{path}", headers=HERE).status_code == 404
    assert behind.asked == []


def test_another_site_can_change_nothing(browser: FlaskClient, behind: Behind) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert browser.post(f"{PATH}/delete", headers=elsewhere).status_code == 403
    assert behind.asked == []
