"""Clients that send a body, or take an answer, a byte at a time: how long, and how many at once."""

import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from flask import Flask, Response, request
from werkzeug.wsgi import wrap_file

from muster.http.client import ClientSocket, SlowClients
from muster.http.service import Health, install_service
from muster.http.settings import ServerSettings
from tests.unit.muster.http.serving import Served, cut_off, rest_of, serving, until
from tests.waiting import DEADLINE_SECONDS, eventually

LARGE = 16 * 1024 * 1024


def make_app(file: Path) -> Flask:
    app = Flask("slow")
    install_service(app, "slow", Health())

    @app.post("/small")
    def small() -> str:
        return str(len(request.get_data()))

    @app.post("/form")
    def form() -> str:
        request.max_content_length = 1000
        return str(len(request.form))

    @app.post("/upload")
    def upload() -> str:
        connection: ClientSocket = request.environ["gunicorn.socket"]
        connection.expect_upload()
        return str(len(request.input_stream.read()))

    @app.post("/unread")
    def unread() -> tuple[str, int]:
        return "no", 403

    @app.get("/large")
    def large() -> Response:
        return Response(b"x" * LARGE)

    @app.get("/file")
    def download() -> Response:
        opened = file.open("rb")
        return Response(wrap_file(request.environ, opened), direct_passthrough=True)

    return app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    file = tmp_path_factory.mktemp("slow") / "large"
    file.write_bytes(b"x" * LARGE)
    return make_app(file)


@pytest.fixture
def served(app: Flask) -> Iterator[Served]:
    with serving(app) as served:
        yield served


@pytest.fixture
def hasty(app: Flask) -> Iterator[Served]:
    """A second for a body, and for a client that is behind its rate."""
    with serving(app, body_seconds=1, read_timeout_seconds=1) as served:
        yield served


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: x", *lines, "", "")).encode()


FORM = "Content-Type: application/x-www-form-urlencoded"
KINDS = {
    "small": head("/small", "Content-Length: 1000"),
    "chunked": head("/small", "Transfer-Encoding: chunked") + b"3e8\r\n",
    "chunk-size": head("/small", "Transfer-Encoding: chunked"),
    "form": head("/form", FORM, "Content-Length: 1000"),
    "chunked-form": head("/form", FORM, "Transfer-Encoding: chunked") + b"3e8\r\n",
    "upload": head("/upload", "Content-Length: 100000"),
    "chunked-upload": head("/upload", "Transfer-Encoding: chunked") + b"fffff\r\n",
}


def drip(connection: socket.socket) -> bytes:
    """Send a byte every tenth of a second until there is an answer; returns it."""

    def sends_one_more() -> bool:
        connection.sendall(b"1")
        return is_answered(connection)

    eventually(sends_one_more)
    return rest_of(connection)


def is_answered(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0.1)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_drips_is_cut_off_and_told_the_limit(hasty: Served, kind: str) -> None:
    with hasty.connect() as connection:
        connection.sendall(KINDS[kind])
        answer = drip(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    limits = {"upload": "1,024 bytes a second", "small": "within 1 s"}
    assert limits["upload" if "upload" in kind else "small"] in problem["detail"]


def test_an_upload_that_was_fast_at_first_may_not_stall_later(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.sendall(head("/upload", "Content-Length: 2000000") + b"x" * 1_000_000)
        assert drip(connection).startswith(b"HTTP/1.1 408 ")


def test_an_upload_that_keeps_up_the_rate_may_take_its_time(app: Flask) -> None:
    # Longer than the time for any other body.
    with (
        serving(app, body_seconds=0.2) as served,
        served.connect() as connection,
    ):
        connection.sendall(head("/upload", "Content-Length: 100000", "Connection: close"))
        for _ in range(10):
            threading.Event().wait(0.1)
            connection.sendall(b"x" * 10_000)
        assert rest_of(connection).endswith(b"\r\n100000")


@pytest.mark.parametrize("kind", ["small", "form"])
def test_small_bodies_that_drip_take_no_thread(app: Flask, kind: str) -> None:
    with serving(app, threads=2) as served, ExitStack() as clients:
        for _ in range(8):
            clients.enter_context(served.connect()).sendall(KINDS[kind] + b"1")
        assert b" 200 OK" in served.ask("/healthz")


@pytest.mark.parametrize("kind", ["chunked", "chunk-size", "chunked-form", "upload"])
def test_other_bodies_that_drip_leave_threads_for_others(app: Flask, kind: str) -> None:
    before = cut_off("share")
    with serving(app, threads=4, max_slow_clients=2) as served, ExitStack() as clients:
        dripping = [clients.enter_context(served.connect()) for _ in range(8)]
        for connection in dripping:
            connection.sendall(KINDS[kind])
        eventually(lambda: cut_off("share") == before + 6)
        assert b" 200 OK" in served.ask("/healthz")


def test_clients_that_keep_up_need_no_place(app: Flask) -> None:
    """However many they are, and though the server waits for each of their pieces."""
    before = cut_off("share")
    with serving(app, threads=8, max_slow_clients=1) as served, ExitStack() as clients:
        uploading = [clients.enter_context(served.connect()) for _ in range(6)]
        for connection in uploading:
            connection.sendall(head("/upload", "Content-Length: 200000", "Connection: close"))
        for _ in range(10):
            threading.Event().wait(0.02)
            for connection in uploading:
                connection.sendall(b"x" * 20_000)
        answers = [rest_of(connection) for connection in uploading]
    # On a busy machine this test is slow itself, and then one of them may be.
    assert sum(answer.endswith(b"200000") for answer in answers) == 6 - (cut_off("share") - before)
    assert cut_off("share") - before < 3


def test_what_a_client_takes_of_an_answer_counts_before_more_can_be_sent() -> None:
    """The buffers of both ends hold more than a slow client takes in the time that it has."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(DEADLINE_SECONDS)
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        places = SlowClients(ServerSettings())
        with ClientSocket(accepted.family, accepted.detach(), "127.0.0.1", places) as sock:
            with suppress(BlockingIOError):
                while True:
                    socket.socket.send(sock, b"x" * 65536)
            sock._sent.wait(20.0)
            sock._waits_to_send = True
            sock._unsent = sock._count_unsent()

            def is_seen_to_take_some() -> bool:
                assert client.recv(10_000)
                return not sock._polls(select.POLLOUT, 0.01) and sock.late < 15

            eventually(is_seen_to_take_some)


def test_who_finds_no_place_is_told_the_limit(app: Flask) -> None:
    with serving(app, max_slow_clients=1) as served, ExitStack() as clients:
        first, second = (clients.enter_context(served.connect()) for _ in range(2))
        for connection in (first, second):
            connection.sendall(KINDS["upload"])
        refused, _, _ = select.select([first, second], [], [], DEADLINE_SECONDS)
        answer = rest_of(refused[0])
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5\r\n" in answer
    assert b"At most 1 clients may be slow at once" in answer


def test_a_client_that_is_late_makes_room(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muster.http.client._LATE_SECONDS", 0.2)
    with serving(app, max_slow_clients=1) as served, served.connect() as slow:
        slow.sendall(KINDS["upload"] + b"1")
        with ExitStack() as clients:
            for _ in range(600):
                clients.enter_context(served.connect()).sendall(KINDS["upload"] + b"1")
                if is_answered(slow):
                    break
        assert rest_of(slow).startswith(b"HTTP/1.1 503 ")


def test_an_upload_that_expects_a_100_gets_it(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(head("/small", "Content-Length: 5", "Expect: 100-continue"))
        assert until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        assert until(connection, b"5").startswith(b"HTTP/1.1 200 ")


def test_of_the_slow_those_of_the_busiest_address_go_first(app: Flask) -> None:
    with serving(app, threads=8, max_slow_clients=4) as served, ExitStack() as clients:
        other = clients.enter_context(socket.socket())
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", served.port))
        other.sendall(head("/upload", "Content-Length: 70000", "Connection: close") + b"1")
        before = cut_off("share")
        for _ in range(8):
            clients.enter_context(served.connect()).sendall(KINDS["upload"])
        eventually(lambda: cut_off("share") >= before + 5)
        other.sendall(b"1" * 69_999)
        assert rest_of(other).endswith(b"\r\n70000")


@pytest.mark.parametrize("path", ["/large", "/file"])
def test_a_client_that_takes_no_answer_is_cut_off(hasty: Served, path: str) -> None:
    before = cut_off("answer-rate")
    with hasty.connect(receive_bytes=4096) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        eventually(lambda: cut_off("answer-rate") == before + 1)


@pytest.mark.parametrize("path", ["/large", "/file"])
def test_a_client_that_takes_its_answer_gets_all_of_it(served: Served, path: str) -> None:
    assert len(served.ask(path).partition(b"\r\n\r\n")[2]) >= LARGE


def test_clients_that_take_no_answer_leave_threads_for_others(app: Flask) -> None:
    with serving(app, threads=4) as served, ExitStack() as clients:
        for _ in range(8):
            connection = clients.enter_context(served.connect(receive_bytes=4096))
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 OK" in served.ask("/healthz")


def test_refused_clients_that_go_on_sending_take_no_thread(app: Flask) -> None:
    with serving(app, threads=2) as served, ExitStack() as clients:
        for _ in range(8):
            connection = clients.enter_context(served.connect())
            connection.sendall(head("/unread", "Content-Length: 100000") + b"x")
            assert until(connection, b"no").startswith(b"HTTP/1.1 403 ")
        assert b" 200 OK" in served.ask("/healthz")


@pytest.mark.parametrize(
    "body", [b"zz\r\n", b"4\r\nabcdXY", b"5;=\r\nhello\r\n"], ids=["size", "end", "extension"]
)
@pytest.mark.parametrize("path", ["/small", "/form"])
def test_a_body_of_broken_chunks_is_refused(served: Served, path: str, body: bytes) -> None:
    with served.connect() as connection:
        connection.sendall(head(path, FORM, "Transfer-Encoding: chunked") + body)
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"incomplete-body" in answer
