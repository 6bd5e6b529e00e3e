"""Many more questions than can be answered, by clients that give up: how many are answered then.

Each opens a connection of its own, as those do that come from many places.
"""

import resource
import selectors
import socket
import statistics
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from bench.figures import Comparison, Figure, Series, at_least, at_most
from bench.interleaving import interleaved
from bench.part import Answer, Plan
from bench.servers import no_servers, running_suite
from bench.uploading import load_parents

_PATH = "/v1/queries/departments-above-mean?year=2021"
_CLIENTS = 8
_TIMES = 10
_SECONDS = 10.0
_PATIENCE_SECONDS = 3.0
# After an overload, those that gave up are still at the port.
_REST_SECONDS = 5.0
_MOST_AT_ONCE = 10_000
_MOST_IN_A_TURN = 100
_TURN_SECONDS = 0.001
_READ_BYTES = 65536


@dataclass
class Tally:
    """What became of the questions of so many seconds; how long each refusal took, in seconds."""

    seconds: float = 0.0
    answered: int = 0
    gave_up: int = 0
    refusals: list[float] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """How many there were."""
        return self.answered + self.gave_up + len(self.refusals)

    def a_second(self, count: int) -> float:
        """The rate of so many."""
        return count / self.seconds

    def __str__(self) -> str:
        counts = self.asked, self.answered, len(self.refusals), self.gave_up
        asked, answered, refused, gave_up = (round(self.a_second(count)) for count in counts)
        return f"{asked}/s: {answered} answered, {refused} refused, {gave_up} gave up"


@dataclass(frozen=True)
class Question:
    """The request that is sent to the host and port."""

    host: str
    port: int
    request: bytes

    @classmethod
    def to(cls, url: str, path: str, headers: dict[str, str]) -> "Question":
        """A GET of that path, whose connection ends with the answer."""
        parts = urlsplit(url)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = (f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", *lines)
        request = "\r\n".join((*head, "", "")).encode()
        return cls(parts.hostname or "", parts.port or 80, request)


def measure(plan: Plan) -> Answer:
    """Find how many are answered at most, and then ask ten times as many."""
    _allow_files()
    with no_servers(plan.directory) as family, running_suite(family) as (suite, client):
        load_parents(client, plan.samples)
        hires = plan.samples / "hired_employees.csv"
        client.wait(client.upload(hires.name, hires)["id"])
        headers = {"Authorization": str(client.session.headers["Authorization"])}
        question = Question.to(suite.url, _PATH, headers)
        peaks: list[Tally] = []

        def find_peak() -> Tally:
            time.sleep(_REST_SECONDS)
            peaks.append(ask_in_turn(question, _SECONDS))
            return peaks[-1]

        def overload() -> Tally:
            rate = _TIMES * peaks[-1].a_second(peaks[-1].answered)
            return flood(question, rate, _SECONDS)

        found = interleaved(plan.runs, {"peak": find_peak, "overload": overload})
    return Answer("Overload", _figures(found["peak"], found["overload"]), _CONDITIONS)


_CONDITIONS = (
    f"The peak is what {_CLIENTS} clients get that ask again as soon as they are answered, for "
    f"{_SECONDS:g} s.",
    f"Then {_TIMES} times as many questions a second begin for {_SECONDS:g} s, each on a "
    f"connection of its own, which is given up after {_PATIENCE_SECONDS:g} s. Where the clients, "
    "which are on the same cores, can't begin as many, it is as many as they can.",
)


class Clients:
    """Clients in one thread, each of which asks once, on a connection of its own."""

    def __init__(self, question: Question, patience: float) -> None:
        self.tally = Tally()
        self._question = question
        self._patience = patience
        self._selector = selectors.DefaultSelector()
        # In the order in which they began.
        self._asking: dict[socket.socket, _Asking] = {}

    def __len__(self) -> int:
        return len(self._asking)

    def ask(self) -> None:
        """One more begins."""
        connection = socket.socket()
        connection.setblocking(False)
        asking = self._asking[connection] = _Asking(time.monotonic())
        connection.connect_ex((self._question.host, self._question.port))
        self._selector.register(connection, selectors.EVENT_WRITE, asking)

    def turn(self, seconds: float) -> None:
        """Wait for so long at most, and take what is answered; those who have waited give up."""
        for key, _ in self._selector.select(seconds):
            connection = cast(socket.socket, key.fileobj)
            try:
                self._go_on(connection, key.data)
            except OSError:
                self._end(connection, gave_up=True)
        now = time.monotonic()
        for connection, asking in list(self._asking.items()):
            if now - asking.began < self._patience:
                break
            self._end(connection, gave_up=True)

    def finish(self, began: float) -> Tally:
        """What became of all that were asked since then, once each has its answer or gave up."""
        self.tally.seconds = time.monotonic() - began
        while self._asking:
            self.turn(_TURN_SECONDS)
        self._selector.close()
        return self.tally

    def _go_on(self, connection: socket.socket, asking: "_Asking") -> None:
        if not asking.is_sent:
            connection.send(self._question.request)
            asking.is_sent = True
            self._selector.modify(connection, selectors.EVENT_READ, asking)
        elif data := connection.recv(_READ_BYTES):
            asking.answer += data
        else:
            self._end(connection)

    def _end(self, connection: socket.socket, *, gave_up: bool = False) -> None:
        self._selector.unregister(connection)
        connection.close()
        asking = self._asking.pop(connection)
        if not gave_up and asking.answer.startswith(b"HTTP/1.1 200 "):
            self.tally.answered += 1
        elif not gave_up and asking.answer.startswith(b"HTTP/1.1 503 "):
            self.tally.refusals.append(time.monotonic() - asking.began)
        else:
            self.tally.gave_up += 1


@dataclass
class _Asking:
    """Since when a client asks, whether the question is sent, and what has come of the answer."""

    began: float
    is_sent: bool = False
    answer: bytes = b""


def ask_in_turn(question: Question, seconds: float) -> Tally:
    """Ask, by some clients at once, again as soon as it is answered."""
    clients = Clients(question, _PATIENCE_SECONDS)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        while len(clients) < _CLIENTS:
            clients.ask()
        clients.turn(_TURN_SECONDS)
    return clients.finish(began)


def flood(
    question: Question, rate: float, seconds: float, patience: float = _PATIENCE_SECONDS
) -> Tally:
    """Ask so many times a second, whether it is answered or not."""
    clients = Clients(question, patience)
    began, begun = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = min(int(rate * passed) - begun, _MOST_AT_ONCE - len(clients), _MOST_IN_A_TURN)
        for _ in range(due):
            clients.ask()
        begun += max(due, 0)
        clients.turn(_TURN_SECONDS)
    return clients.finish(began)


def _figures(peaks: list[Tally], overloads: list[Tally]) -> tuple[Figure, ...]:
    def rates(tallies: list[Tally], counts: list[int]) -> Series:
        each = zip(tallies, counts, strict=True)
        return Series("1/s", tuple(tally.a_second(count) for tally, count in each))

    def refused_within(share: float) -> Series:
        return Series("ms", tuple(1000 * _quantile(each.refusals, share) for each in overloads))

    peak = rates(peaks, [each.answered for each in peaks])
    answered = rates(overloads, [each.answered for each in overloads])
    wanted = at_least(0.9)
    return (
        Figure("answered in time, against the peak", answered, peak, Comparison.RATIO, wanted),
        Figure("asked", rates(overloads, [each.asked for each in overloads])),
        Figure("refused", rates(overloads, [len(each.refusals) for each in overloads])),
        Figure("given up by the client", rates(overloads, [each.gave_up for each in overloads])),
        Figure("time to a refusal, median", refused_within(0.5)),
        Figure("time to a refusal, 99 of 100", refused_within(0.99), target=at_most(50)),
    )


def _quantile(values: list[float], share: float) -> float:
    """The value that so large a share is not above; 0 where there are too few to say."""
    if len(values) < 2:
        return 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_AT_ONCE + 500
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
