"""Many more questions than can be answered, by clients that give up: how many are answered then.

Each opens a connection of its own, as those do that come from many places.
"""

import asyncio
import resource
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field
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
_MOST_AT_ONCE = 10_000
_TURN_SECONDS = 0.001


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
            peaks.append(asyncio.run(ask_in_turn(question, _SECONDS)))
            return peaks[-1]

        def overload() -> Tally:
            rate = _TIMES * peaks[-1].a_second(peaks[-1].answered)
            return asyncio.run(flood(question, rate, _SECONDS))

        found = interleaved(plan.runs, {"peak": find_peak, "overload": overload})
    return Answer("Overload", _figures(found["peak"], found["overload"]), _CONDITIONS)


_CONDITIONS = (
    f"The peak is what {_CLIENTS} clients get that ask again as soon as they are answered, for "
    f"{_SECONDS:g} s.",
    f"Then {_TIMES} times as many questions a second begin for {_SECONDS:g} s, each on a "
    f"connection of its own, which is given up after {_PATIENCE_SECONDS:g} s. Where the clients, "
    "which are on the same cores, can't begin as many, it is as many as they can.",
)


async def ask_in_turn(question: Question, seconds: float) -> Tally:
    """Ask, by some clients at once, again as soon as it is answered."""
    tally = Tally()
    began = time.monotonic()

    async def ask_on() -> None:
        while time.monotonic() - began < seconds:
            await _ask(question, _PATIENCE_SECONDS, tally)

    await asyncio.gather(*(ask_on() for _ in range(_CLIENTS)))
    tally.seconds = time.monotonic() - began
    return tally


async def flood(
    question: Question, rate: float, seconds: float, patience: float = _PATIENCE_SECONDS
) -> Tally:
    """Ask so many times a second, whether it is answered or not."""
    tally = Tally()
    asking: set[asyncio.Task[None]] = set()
    began, begun = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = min(int(rate * passed) - begun, _MOST_AT_ONCE - len(asking))
        for _ in range(due):
            task = asyncio.create_task(_ask(question, patience, tally))
            asking.add(task)
            task.add_done_callback(asking.discard)
        begun += due
        await asyncio.sleep(_TURN_SECONDS)
    tally.seconds = time.monotonic() - began
    await asyncio.gather(*asking)
    return tally


async def _ask(question: Question, patience: float, tally: Tally) -> None:
    began = time.monotonic()
    answer = b""
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(question.host, question.port)
            try:
                writer.write(question.request)
                answer = await reader.read()
            finally:
                writer.close()
    if answer.startswith(b"HTTP/1.1 200 "):
        tally.answered += 1
    elif answer.startswith(b"HTTP/1.1 503 "):
        tally.refusals.append(time.monotonic() - began)
    else:
        tally.gave_up += 1


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
