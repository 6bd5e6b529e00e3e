"""What the file store makes of answers that a healthy S3 server does not give."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Event

import pytest
from botocore.exceptions import ClientError

from muster import weather
from muster.backends import s3 as backend
from muster.backends.shared import Shared
from muster.filestore import FileStore, s3
from muster.filestore.s3 import S3FileStore
from muster.weather import StoreUnavailable
from tests.servers.http import serving

Answer = Callable[[BaseHTTPRequestHandler], object]


@contextmanager
def store_answering(
    answer: Answer, places: int | None = None, seconds: int = 1
) -> Iterator[S3FileStore]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if self.raw_requestline and self.parse_request():
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer(self)
            self.close_connection = True

        def log_message(self, *_arguments: object) -> None:
            pass

    with serving(Handler) as port:
        url = f"s3://key:secret@bucket?endpoint=http://127.0.0.1:{port}&answer_seconds={seconds}"
        with closing(S3FileStore(url, Shared(places))) as files:
            yield files


def refusal(status: int, code: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        body = f"<Error><Code>{code}</Code><Message>so it is</Message></Error>".encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body if request.command != "HEAD" else b"")

    return answer


def write(files: FileStore, size: int = 4) -> None:
    with files.write("u-1") as file:
        file.write(b"x" * size)


CALLS: dict[str, Callable[[FileStore], object]] = {
    "write": write,
    "write in parts": lambda files: write(files, 6 * 1024**2),
    "open": lambda files: files.open("u-1"),
    "delete": lambda files: files.delete("u-1"),
    "names": lambda files: [*files.names(0)],
    "check": lambda files: files.check(),
}
REFUSALS = [
    (503, "SlowDown"),
    (503, "ServiceUnavailable"),
    (500, "InternalError"),
    (507, "XMinioStorageFull"),
    (403, "AccessDenied"),
    (403, "InvalidObjectState"),
    (403, "QuotaExceeded"),
    (403, "RequestTimeTooSkewed"),
    (400, "ExpiredToken"),
    (404, "NoSuchBucket"),
    (409, "OperationAborted"),
    (405, "MethodNotAllowed"),
]


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt: the pause before the second is botocore's."""
    monkeypatch.setattr(backend, "_ATTEMPTS", 1)


def test_what_the_server_refuses_is_weather() -> None:
    answers: list[Answer] = []
    with store_answering(lambda request: answers[-1](request)) as files:
        for status, code in REFUSALS:
            answers.append(refusal(status, code))
            for call in CALLS.values():
                with pytest.raises(
                    StoreUnavailable, match=f"S3 bucket bucket at .*({code}|{status})"
                ):
                    call(files)


def test_what_lies_in_the_call_is_ours() -> None:
    answers: list[Answer] = []
    with store_answering(lambda request: answers[-1](request)) as files:
        for code in weather.S3_MISTAKES:
            answers.append(refusal(400, code))
            with pytest.raises(ClientError, match=code):
                write(files)


def test_a_server_that_is_busy_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "_ATTEMPTS", 2)
    answers = [refusal(503, "SlowDown"), refusal(204, "")]
    with store_answering(lambda request: answers.pop(0)(request)) as files:
        files.delete("u-1")
    assert answers == []


def part_of(request: BaseHTTPRequestHandler, sent: bytes, of: int, span: str | None = None) -> None:
    request.send_response(206)
    request.send_header("Content-Length", str(of))
    request.send_header("Content-Range", span or f"bytes 0-{of - 1}/{of}")
    request.send_header("ETag", '"tag"')
    request.end_headers()
    request.wfile.write(sent)


STRANGE: dict[str, Answer] = {
    "half of it": lambda request: part_of(request, b"1,a", of=100),
    "none of it": lambda request: part_of(request, b"", of=100),
    "from another place": lambda request: part_of(request, b"1,a", 3, "bytes 5-7/8"),
    "no HTTP": lambda request: request.wfile.write(b"SSH-2.0-OpenSSH\r\n"),
    "nothing": lambda _request: None,
    "a page of a proxy": lambda request: refusal(502, "<html>")(request),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_an_answer_that_makes_no_sense_is_weather(strange: str) -> None:
    with store_answering(STRANGE[strange]) as files, pytest.raises(StoreUnavailable):
        files.open("u-1")


def test_an_answer_that_comes_in_drops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_BLOCK_PATIENCE", 0.3)
    monkeypatch.setattr(s3, "_PIECE_BYTES", 1)
    given_up = Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        part_of(request, b"", of=1000)
        while not given_up.wait(0.05):
            request.wfile.write(b"x")

    with store_answering(drip) as files:
        with pytest.raises(StoreUnavailable, match="too slowly"):
            files.open("u-1")
        given_up.set()


def test_of_many_who_need_a_store_that_is_away_one_at_a_time_tries_it() -> None:
    arrived, answering = Event(), Event()

    def answer_late(request: BaseHTTPRequestHandler) -> None:
        arrived.set()
        answering.wait()
        refusal(204, "")(request)

    with store_answering(answer_late, seconds=60) as files, ThreadPoolExecutor(1) as pool:
        files._bucket._is_away = True
        trying = pool.submit(files.delete, "u-1")
        assert arrived.wait(60)
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="it is away"):
                files.delete("u-1")
        answering.set()
        trying.result()
        files.delete("u-1")


def test_a_store_that_hangs_is_away_until_it_answers() -> None:
    answers: list[Answer] = [lambda _request: over.wait()]
    over = Event()
    with store_answering(lambda request: answers[-1](request)) as files:
        with pytest.raises(StoreUnavailable, match="Read timeout"):
            files.delete("u-1")
        assert files._bucket._is_away
        over.set()
        answers.append(refusal(503, "SlowDown"))
        with pytest.raises(StoreUnavailable, match="SlowDown"):
            files.delete("u-1")
        assert not files._bucket._is_away


def test_a_call_beyond_the_places_is_told_so() -> None:
    arrived, answering = Event(), Event()

    def answer_late(request: BaseHTTPRequestHandler) -> None:
        arrived.set()
        answering.wait()
        refusal(204, "")(request)

    with store_answering(answer_late, places=1, seconds=60) as files, ThreadPoolExecutor(1) as pool:
        inside = pool.submit(files.delete, "u-1")
        assert arrived.wait(60)
        with pytest.raises(StoreUnavailable, match="too many wait"):
            files.delete("u-1")
        answering.set()
        inside.result()
