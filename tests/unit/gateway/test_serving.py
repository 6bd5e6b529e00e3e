"""The gateway under a real gunicorn: early refusals, stalled and broken clients, shutdown."""

import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from muster.stores import Stores, open_stores
from tests.unit.gateway.fakes import ANA, CSV, bearer, stored_files
from tests.unit.gateway.running import MEGABYTE, Gateway, answers, serving
from tests.waiting import DEADLINE_SECONDS, eventually

# More than is kept with a record.
PART = b"1,Recruiter\n" * 8_000

# The modules' servers are started once.
pytestmark = pytest.mark.xdist_group("gateway-serving")

LARGE = b"1,Recruiter\n" * MEGABYTE


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with serving(tmp_path) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One for all who get nothing in."""
    with serving(tmp_path_factory.mktemp("refusing")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One for all who stall."""
    with serving(tmp_path_factory.mktemp("hasty"), read_timeout=1) as gateway:
        yield gateway


@pytest.fixture
def stores(gateway: Gateway) -> Iterator[Stores]:
    with closing(open_stores(f"file://{gateway.home}/store")) as stores:
        yield stores


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


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl"])
def test_nobody_on_this_machine_says_that_a_request_came_by_https(
    refusing: Gateway, name: str
) -> None:
    headers = {name: {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"}.get(name, "ssl")}
    answer = requests.post(
        f"{refusing.url}/logout",
        headers={**headers, "Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
        timeout=DEADLINE_SECONDS,
    )
    assert answer.status_code == 303
    assert "Secure" not in answer.headers["Set-Cookie"]


def test_nobody_on_this_machine_says_what_path_was_asked_for(refusing: Gateway) -> None:
    with refusing.connect() as connection:
        head = "GET /v1/healthz HTTP/1.1\nHost: x\nSCRIPT_NAME: /v1\nConnection: close\n"
        answer = send_all(connection, head, b"")
    assert answer.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("status", "headers", "query"), REFUSALS)
def test_a_client_that_sends_all_first_sees_why_it_was_refused(
    refusing: Gateway, status: int, headers: dict[str, str], query: str, chunked: bool
) -> None:
    if chunked:
        headers = {**headers, "Transfer-Encoding": "chunked"}
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(LARGE), LARGE)
    else:
        headers, body = {**headers, "Content-Length": str(len(LARGE))}, LARGE
    with refusing.connect() as connection:
        answer = send_all(connection, head_of(headers, query), body)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == status
    assert stored_files(refusing.home) == []


def test_refusals_in_a_row_wedge_no_thread(refusing: Gateway) -> None:
    def refuse(_: int) -> int:
        answer = requests.post(
            f"{refusing.url}/v1/uploads?table=jobs", data=LARGE, timeout=DEADLINE_SECONDS
        )
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(refuse, range(24))) == {401}
    assert answers(refusing)


def test_a_client_that_asks_first_is_refused_too(refusing: Gateway) -> None:
    headers = {**CSV, "Content-Length": str(len(LARGE)), "Expect": "100-continue"}
    with refusing.connect() as connection:
        answer = send_all(connection, head_of(headers), LARGE)
    assert b"HTTP/1.1 401 " in answer


def test_a_refusal_without_a_body_keeps_the_connection(refusing: Gateway) -> None:
    with requests.Session() as session:
        refused = session.post(f"{refusing.url}/v1/uploads", timeout=DEADLINE_SECONDS)
    assert (refused.status_code, refused.headers["Connection"]) == (401, "keep-alive")


def test_a_client_that_breaks_off_leaves_nothing(refusing: Gateway) -> None:
    headers = {**CSV, **ANA, "Content-Length": str(MEGABYTE)}
    with refusing.connect() as connection:
        connection.sendall(head_of(headers).replace("\n", "\r\n").encode() + b"\r\n" + PART)
        eventually(lambda: stored_files(refusing.home) != [])
    eventually(lambda: stored_files(refusing.home) == [])
    with closing(open_stores(f"file://{refusing.home}/store")) as stores:
        assert stores.uploads.find(owner=None, state=None, table=None, before=None, limit=10) == []


def test_a_client_that_stalls_is_given_up(hasty: Gateway) -> None:
    headers = {**CSV, **ANA, "Content-Length": str(MEGABYTE)}
    with hasty.connect() as connection:
        connection.sendall(head_of(headers).replace("\n", "\r\n").encode() + b"\r\n1,Recruiter\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert stored_files(hasty.home) == []


def test_clients_that_stalled_and_stay_keep_nobody_else_waiting(hasty: Gateway) -> None:
    headers = {**CSV, **ANA, "Content-Length": str(MEGABYTE)}
    with ExitStack() as connections:
        stalled = [connections.enter_context(hasty.connect()) for _ in range(6)]
        for connection in stalled:
            connection.sendall(head_of(headers).replace("\n", "\r\n").encode() + b"\r\n1,Rec")
        for connection in stalled:
            # Of six that are slow two have a place.
            assert connection.recv(65536).startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 503 "))
        # The loop that closes them lingers over none.
        assert requests.get(f"{hasty.url}/healthz", timeout=DEADLINE_SECONDS).ok


def test_clients_that_stall_in_the_head_of_a_request_hold_no_thread(hasty: Gateway) -> None:
    with ExitStack() as connections:
        # One more than there are threads.
        for _ in range(5):
            connections.enter_context(hasty.connect()).sendall(b"GET /healthz HT")
        assert requests.get(f"{hasty.url}/healthz", timeout=DEADLINE_SECONDS).ok


def test_a_body_of_broken_chunks_is_refused(refusing: Gateway) -> None:
    headers = {**CSV, **ANA, "Transfer-Encoding": "chunked"}
    with refusing.connect() as connection:
        answer = send_all(connection, head_of(headers), b"4\r\n1,a\n\r\nnot a size\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert stored_files(refusing.home) == []


def test_a_chunked_upload_is_accepted(gateway: Gateway, stores: Stores) -> None:
    answer = requests.post(
        f"{gateway.url}/v1/uploads?table=jobs",
        data=iter([b"1,Rec", b"ruiter\n"]),
        headers={**ANA, **CSV},
        timeout=DEADLINE_SECONDS,
    )
    assert (answer.status_code, answer.headers["Connection"]) == (202, "keep-alive")
    with stores.open_file(stores.uploads.get(answer.json()["id"])) as file:
        assert file.read() == b"1,Recruiter\n"


def test_a_hundred_uploads_at_once_come_one_after_another(gateway: Gateway, stores: Stores) -> None:
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
    uploads = stores.uploads.find(owner=None, state=None, table=None, before=None, limit=200)
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
    gateway.process.send_signal(signal.SIGTERM)
    # The end comes whole, so before gunicorn's grace of 30 seconds is over, and without one of the
    # signs of life that come every 15.
    assert not any(line.startswith((b"event", b":")) for line in lines)
    following.close()
    gateway.process.wait(DEADLINE_SECONDS)


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
    with follow() as refused:
        assert refused.status_code == 503
    for follower in followers:
        follower.close()

    def has_place() -> bool:
        with follow() as follower:
            return follower.status_code == 200

    eventually(has_place)
