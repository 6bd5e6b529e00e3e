"""Which requests are repeated, how often, and after how long."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from muster_client import MusterClient, NotMuster, Refused, RetryPolicy, Unreachable
from tests.servers.http import serving
from tests.unit.client.script import ME, Answer, Script, problem, serving_script

UPLOAD = (
    b'{"id":"1","table":"jobs","filename":"jobs.csv","size":1,"sha256":"","state":"queued",'
    b'"submitted_by":"ana@example.com","submitted_at":"2026-01-01T00:00:00Z","rows":{}}'
)


class Scripted:
    def __init__(self, url: str, handler: type[Script]) -> None:
        self.handler = handler
        self.waits: list[float] = []
        policy = RetryPolicy(1.0, 0.01, 0.02, told=lambda seconds, _: self.waits.append(seconds))
        self.client = MusterClient(url, "token", retry=policy)


@contextmanager
def scripted(*answers: Answer | None) -> Iterator[Scripted]:
    with serving_script(answers) as (url, handler):
        script = Scripted(url, handler)
        with script.client:
            yield script


def test_what_is_cut_or_away_is_asked_again() -> None:
    answers = [None, problem(503, "unavailable"), (502, {}, b"<html>"), (200, {}, ME)]
    with scripted(*answers) as script:
        assert script.client.me().email == "ana@example.com"
        assert len(script.waits) == 3


def test_an_answer_that_breaks_off_is_fetched_again() -> None:
    with scripted((200, {"Content-Length": "900"}, b"1,"), (200, {}, b"1,a\n")) as script:
        target = io.BytesIO()
        script.client.save_rejects("1", target)
        assert target.getvalue() == b"1,a\n"


def test_an_upload_is_sent_again_whole_with_the_same_key() -> None:
    held = problem(409, "idempotency-key-in-flight")
    with scripted(None, held, (202, {}, UPLOAD)) as script:
        script.client.upload(b"1,a\n", filename="jobs.csv")
        assert {body for _, _, body in script.handler.asked} == {b"1,a\n"}
        assert len({headers["Idempotency-Key"] for _, headers, _ in script.handler.asked}) == 1


def test_it_waits_as_long_as_it_is_told() -> None:
    with scripted(
        problem(429, "too-many-uploads", **{"Retry-After": "1"}), (200, {}, ME)
    ) as script:
        script.client._transport.retry = RetryPolicy(5.0, told=script.client._transport.retry.told)
        script.client.me()
        assert script.waits == [1.0]


def test_a_wait_beyond_its_patience_is_not_begun() -> None:
    with (
        scripted(problem(429, "too-many-bytes", **{"Retry-After": "3600"})) as script,
        pytest.raises(Refused) as refusal,
    ):
        script.client.me()
    assert (refusal.value.kind, refusal.value.retry_after, script.waits) == (
        "too-many-bytes",
        3600.0,
        [],
    )


def test_what_is_refused_for_good_is_asked_once() -> None:
    with scripted(problem(403, "forbidden")) as script, pytest.raises(Refused) as refusal:
        script.client.me()
    assert (refusal.value.status, refusal.value.kind, refusal.value.detail) == (
        403,
        "forbidden",
        "D.",
    )


def test_what_a_repeat_would_make_twice_is_asked_once() -> None:
    with scripted(None) as script, pytest.raises(Unreachable):
        script.client.add_user("bo@example.com", "password", [])


def test_a_redirect_is_not_followed_with_the_token() -> None:
    away = (302, {"Location": "https://example.org/"}, b"")
    with scripted(away) as script, pytest.raises(NotMuster, match=r"example\.org"):
        script.client.me()


def test_a_page_that_is_not_json_is_not_musters() -> None:
    with scripted((200, {}, b"<html>")) as script, pytest.raises(NotMuster):
        script.client.me()


def test_it_gives_up_and_says_why() -> None:
    with serving(Script) as port:
        pass
    with (
        MusterClient(f"http://127.0.0.1:{port}", retry=RetryPolicy(0.0)) as client,
        pytest.raises(Unreachable, match="does not answer: Connection refused"),
    ):
        client.me()
