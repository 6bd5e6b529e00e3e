"""The door: it hands on what comes, and refuses at once while too many wait."""

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.unit.muster.http.serving import Served, cut_off, rest_of, serving
from tests.unit.muster.http.test_clients_that_left import Busy, hold, send
from tests.waiting import eventually

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


def door_of(served: Served) -> int:
    """Its process."""
    eventually(lambda: served.worker._doorway is not None)
    doorway = served.worker._doorway
    assert doorway is not None
    return doorway._process.pid


def cpu_of(process: int) -> float:
    """The seconds that it has worked."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sockets_of(process: int) -> int:
    """How many it has."""
    count = 0
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += str(file.readlink()).startswith("socket:")
    return count


def stop_loop(served: Served) -> ExitStack:
    """Keep the service's loop from all work until the block ends."""
    stack = ExitStack()
    turn = served.worker._turn
    served.worker._turn = lambda seconds: time.sleep(min(seconds, 0.01))  # type: ignore[method-assign]
    stack.callback(lambda: setattr(served.worker, "_turn", turn))
    return stack


@pytest.fixture
def busy() -> Busy:
    return Busy()


@pytest.fixture
def served(busy: Busy) -> Iterator[Served]:
    """A service whose only thread is held, and for which somebody waits for too long."""
    with (
        serving(busy, door=True, threads=1, max_waiting_seconds=0.1) as served,
        hold(served, busy) as first,
        send(served, "/second") as second,
    ):
        eventually(lambda: served.worker._waiting.is_too_long)
        yield served
        busy.go_on.set()
        assert rest_of(first).endswith(b"hello")
        assert rest_of(second).endswith(b"hello")


def test_the_door_need_not_share_the_turns_of_its_worker(busy: Busy) -> None:
    with serving(busy, door=True) as served:
        door = door_of(served)
        assert os.getsid(door) == door


def test_what_is_too_much_is_refused_while_the_service_does_nothing(served: Served) -> None:
    before = cut_off("busy")
    with stop_loop(served):
        answers = [served.ask() for _ in range(20)]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in answer
    # Each can be told from the others.
    ids = {answer.partition(b"X-Request-Id: ")[2][:32] for answer in answers}
    assert len(ids) == 20
    eventually(lambda: cut_off("busy") == before + 20)


def test_a_request_that_comes_late_is_refused_as_well(served: Served) -> None:
    with served.connect() as late:
        time.sleep(0.05)
        late.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert rest_of(late).startswith(b"HTTP/1.1 503 ")


def test_who_asks_how_the_service_is_gets_in(served: Served, busy: Busy) -> None:
    with send(served, "/healthz") as health:
        busy.go_on.set()
        assert rest_of(health).endswith(b"hello")
    assert "/healthz" in busy.paths


@pytest.mark.parametrize(
    "pieces",
    [[POST], [b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n"], [b"GET / HTTP/1.1\r\n\r\nGET /two"]],
    ids=["a body", "in pieces", "one after the other"],
)
def test_what_the_door_does_not_know_the_service_refuses(
    served: Served, pieces: list[bytes]
) -> None:
    with served.connect() as client:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(0.05)
        assert rest_of(client).startswith(b"HTTP/1.1 503 ")


def test_who_says_nothing_is_handed_on(served: Served) -> None:
    with served.connect() as silent, served.connect() as gone:
        gone.close()
        connections = served.worker.nr_conns
        eventually(lambda: served.worker.nr_conns == connections + 1)
        silent.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert rest_of(silent).startswith(b"HTTP/1.1 503 ")


def test_without_a_door_the_service_takes_over(busy: Busy) -> None:
    busy.go_on.set()
    with serving(busy, door=True) as served:
        assert served.ask().endswith(b"hello")
        os.kill(door_of(served), signal.SIGKILL)
        eventually(lambda: served.worker._doorway is None)
        assert served.ask().endswith(b"hello")


def test_for_want_of_open_files_the_door_waits_and_does_not_spin(busy: Busy) -> None:
    busy.go_on.set()
    with serving(busy, door=True) as served:
        assert served.ask().endswith(b"hello")
        door = door_of(served)
        usual = resource.prlimit(door, resource.RLIMIT_NOFILE)
        # Its own end of the connection before may still be there for a moment.
        eventually(lambda: sockets_of(door) == 2)
        used = {int(each.name) for each in Path(f"/proc/{door}/fd").iterdir()}
        first_free = min({*range(1000)} - used)
        resource.prlimit(door, resource.RLIMIT_NOFILE, (first_free, usual[1]))
        with send(served, "/") as waiting:
            before = cpu_of(door)
            time.sleep(1)
            assert cpu_of(door) - before < 0.3
            assert not served.worker.nr_conns
            resource.prlimit(door, resource.RLIMIT_NOFILE, usual)
            assert rest_of(waiting).endswith(b"hello")


def test_whoever_has_come_is_answered_when_the_service_stops(busy: Busy) -> None:
    busy.go_on.set()
    with serving(busy, door=True) as served, ExitStack() as clients:
        door = door_of(served)
        with stop_loop(served):
            sent = [clients.enter_context(send(served, f"/{number}")) for number in range(50)]
            served.worker.handle_exit(15, None)
        answers = [rest_of(each) for each in sent]
    assert all(answer.endswith(b"hello") for answer in answers)
    assert not Path(f"/proc/{door}").exists()


def test_the_door_ends_with_its_service_and_with_nothing_else(busy: Busy) -> None:
    busy.go_on.set()
    with serving(busy, door=True) as served:
        door = door_of(served)
        assert served.ask().endswith(b"hello")
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(door, number)
        time.sleep(0.1)
        assert served.ask().endswith(b"hello")
        assert door_of(served) == door
        # As the kernel does when the service is killed.
        doorway = served.worker._doorway
        assert doorway is not None
        doorway.channel.shutdown(socket.SHUT_RDWR)
        eventually(lambda: doorway._process.poll() is not None)


def test_it_is_given_no_environment(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_INTERNAL_SECRET", "s3cret")
    busy.go_on.set()
    with serving(busy, door=True) as served:
        assert served.ask().endswith(b"hello")
        environment = Path(f"/proc/{door_of(served)}/environ").read_bytes()
    assert b"s3cret" not in environment
    assert environment.startswith(b"PYTHONPATH=")
