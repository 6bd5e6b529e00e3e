"""The gateway under a real gunicorn: early refusals, stalled and broken clients, shutdown."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from muster.csvstore import CsvStore, open_csv_store
from tests.unit.gateway.fakes import ANA, CSV, bearer, stored_files

DEADLINE_SECONDS = 30
# How long the server waits for what a client still sends.
DRAIN_SECONDS = 10
# How long gunicorn's one loop waits for a client to close its side.
LINGER_SECONDS = 2
MEGABYTE = 1_000_000
LIMIT = 2 * MEGABYTE
LARGE = b"1,Recruiter\n" * MEGABYTE
ROOT = Path(__file__).parents[3]


@dataclass
class Gateway:
    port: int
    home: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_refused(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except ConnectionError:
        return True
    return False


def answers(gateway: Gateway) -> bool:
    try:
        return requests.get(f"{gateway.url}/healthz", timeout=DEADLINE_SECONDS).ok
    except requests.ConnectionError:
        assert gateway.process.poll() is None, (gateway.home / "log").read_text()
        return False


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    port = free_port()
    settings = {
        "MUSTER_BIND": f"127.0.0.1:{port}",
        "MUSTER_HOME": str(tmp_path),
        "MUSTER_THREADS": "4",
        "MUSTER_MAX_UPLOAD_BYTES": str(LIMIT),
        "MUSTER_READ_TIMEOUT_SECONDS": "1",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-c", "python:muster.serving"),
                "tests.unit.gateway.served:create()",
            ],
            cwd=ROOT,
            env={**kept, **settings},
            stdout=log,
            stderr=log,
        )
    gateway = Gateway(port, tmp_path, process)
    until(lambda: answers(gateway))
    yield gateway
    process.terminate()
    assert process.wait(DEADLINE_SECONDS) == 0


@pytest.fixture
def store(gateway: Gateway) -> Iterator[CsvStore]:
    store = open_csv_store(f"file://{gateway.home}/store")
    yield store
    store.close()


def send_all(connection: socket.socket, head: str, body: bytes) -> bytes:
    """Send all of a request before reading anything, as simple clients do; returns the answer."""
    connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def head_of(headers: dict[str, str], query: str = "?table=jobs") -> str:
    lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
    return f"POST /v1/uploads{query} HTTP/1.1\nHost: x\n{lines}"


REFUSALS = [
    (401, CSV, "?table=jobs"),
    (403, {**CSV, **bearer("ana", "uploads:read")}, "?table=jobs"),
    (413, {**CSV, **ANA}, "?table=jobs"),
    (415, {**ANA, "Content-Type": "application/zip"}, "?table=jobs"),
    (422, {**CSV, **ANA}, "?mode=wrong"),
]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("status", "headers", "query"), REFUSALS)
def test_a_client_that_sends_all_first_sees_why_it_was_refused(
    gateway: Gateway, status: int, headers: dict[str, str], query: str, chunked: bool
) -> None:
    if chunked:
        headers = {**headers, "Transfer-Encoding": "chunked"}
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(LARGE), LARGE)
    else:
        headers, body = {**headers, "Content-Length": str(len(LARGE))}, LARGE
    with gateway.connect() as connection:
        answer = send_all(connection, head_of(headers, query), body)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == status
    assert stored_files(gateway.home) == []


def test_refusals_in_a_row_wedge_no_thread(gateway: Gateway) -> None:
    def refuse(_: int) -> int:
        answer = requests.post(
            f"{gateway.url}/v1/uploads?table=jobs", data=LARGE, timeout=DEADLINE_SECONDS
        )
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(refuse, range(24))) == {401}
    assert answers(gateway)


def test_a_client_that_asks_first_is_refused_too(gateway: Gateway) -> None:
    headers = {**CSV, "Content-Length": str(len(LARGE)), "Expect": "100-continue"}
    with gateway.connect() as connection:
        answer = send_all(connection, head_of(headers), LARGE)
    assert b"HTTP/1.1 401 " in answer


def test_a_refusal_without_a_body_keeps_the_connection(gateway: Gateway) -> None:
    with requests.Session() as session:
        refused = session.post(f"{gateway.url}/v1/uploads", timeout=DEADLINE_SECONDS)
    assert (refused.status_code, refused.headers["Connection"]) == (401, "keep-alive")


def test_a_client_that_breaks_off_leaves_nothing(gateway: Gateway, store: CsvStore) -> None:
    headers = {**CSV, **ANA, "Content-Length": str(MEGABYTE)}
    with gateway.connect() as connection:
        connection.sendall(head_of(headers).replace("\n", "\r\n").encode() + b"\r\n1,Recruiter\n")
        until(lambda: stored_files(gateway.home) != [])
    until(lambda: stored_files(gateway.home) == [])
    assert store.find(owner=None, state=None, table=None, before=None, limit=10) == []


def test_a_client_that_stalls_is_given_up(gateway: Gateway) -> None:
    headers = {**CSV, **ANA, "Content-Length": str(MEGABYTE)}
    with gateway.connect() as connection:
        connection.sendall(head_of(headers).replace("\n", "\r\n").encode() + b"\r\n1,Recruiter\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert stored_files(gateway.home) == []


def test_a_client_that_stalled_holds_no_thread_after_its_answer(gateway: Gateway) -> None:
    headers = {**CSV, **ANA, "Content-Length": str(MEGABYTE)}
    with gateway.connect() as connection:
        connection.sendall(head_of(headers).replace("\n", "\r\n").encode() + b"\r\n1,Recruiter\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        answered_at = time.monotonic()
        until(lambda: is_refused(connection, b"2,Manager\n"))
        assert time.monotonic() - answered_at < DRAIN_SECONDS / 2


def test_clients_that_stalled_and_stay_keep_nobody_else_waiting(gateway: Gateway) -> None:
    headers = {**CSV, **ANA, "Content-Length": str(MEGABYTE)}
    with ExitStack() as connections:
        stalled = [connections.enter_context(gateway.connect()) for _ in range(6)]
        for connection in stalled:
            connection.sendall(head_of(headers).replace("\n", "\r\n").encode() + b"\r\n1,Rec")
        for connection in stalled:
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert requests.get(f"{gateway.url}/healthz", timeout=LINGER_SECONDS).ok


def test_clients_that_stall_in_the_head_of_a_request_hold_no_thread(gateway: Gateway) -> None:
    with ExitStack() as connections:
        for _ in range(12):
            connections.enter_context(gateway.connect()).sendall(b"GET /healthz HT")
        assert requests.get(f"{gateway.url}/healthz", timeout=DEADLINE_SECONDS).ok


def test_a_body_of_broken_chunks_is_refused(gateway: Gateway) -> None:
    headers = {**CSV, **ANA, "Transfer-Encoding": "chunked"}
    with gateway.connect() as connection:
        answer = send_all(connection, head_of(headers), b"4\r\n1,a\n\r\nnot a size\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert stored_files(gateway.home) == []


def test_a_chunked_upload_is_accepted(gateway: Gateway, store: CsvStore) -> None:
    answer = requests.post(
        f"{gateway.url}/v1/uploads?table=jobs",
        data=iter([b"1,Rec", b"ruiter\n"]),
        headers={**ANA, **CSV},
        timeout=DEADLINE_SECONDS,
    )
    assert (answer.status_code, answer.headers["Connection"]) == (202, "keep-alive")
    with store.open_file(answer.json()["id"]) as file:
        assert file.read() == b"1,Recruiter\n"


def test_a_hundred_uploads_at_once_come_one_after_another(
    gateway: Gateway, store: CsvStore
) -> None:
    def post(number: int) -> str:
        answer = requests.post(
            f"{gateway.url}/v1/uploads",
            files={"file": ("jobs.csv", b"%d,a\n" % number)},
            headers=ANA,
            timeout=DEADLINE_SECONDS,
        )
        assert answer.status_code == 202
        upload_id: str = answer.json()["id"]
        return upload_id

    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(post, range(100)))
    uploads = store.find(owner=None, state=None, table=None, before=None, limit=200)
    assert {upload.id for upload in uploads} == ids
    assert len(ids) == len({upload.sequence for upload in uploads}) == 100


def test_followers_are_let_go_when_the_server_stops(gateway: Gateway) -> None:
    path = requests.post(
        f"{gateway.url}/v1/uploads?table=jobs",
        data=b"1,a\n",
        headers={**ANA, **CSV},
        timeout=DEADLINE_SECONDS,
    ).headers["Location"]
    following = requests.get(
        f"{gateway.url}{path}/events", headers=ANA, stream=True, timeout=DEADLINE_SECONDS
    )
    lines = following.iter_lines()
    assert next(lines) == b"event: upload"
    begun = time.monotonic()
    gateway.process.send_signal(signal.SIGTERM)
    assert all(not line.startswith(b"event") for line in lines)
    following.close()
    gateway.process.wait(DEADLINE_SECONDS)
    # gunicorn's grace is 30 seconds, and a sign of life comes every 15.
    assert time.monotonic() - begun < 10


def test_the_place_of_a_follower_who_left_is_free_again(gateway: Gateway) -> None:
    path = requests.post(
        f"{gateway.url}/v1/uploads?table=jobs",
        data=b"1,a\n",
        headers={**ANA, **CSV},
        timeout=DEADLINE_SECONDS,
    ).headers["Location"]

    def follow() -> requests.Response:
        return requests.get(
            f"{gateway.url}{path}/events", headers=ANA, stream=True, timeout=DEADLINE_SECONDS
        )

    followers = [follow(), follow()]
    assert [follower.status_code for follower in followers] == [200, 200]
    assert follow().status_code == 503
    for follower in followers:
        follower.close()

    def has_place() -> bool:
        with follow() as follower:
            return follower.status_code == 200

    until(has_place)
