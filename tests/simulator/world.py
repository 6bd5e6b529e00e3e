"""What surrounds the system: time, chance, and the faults that its calls of the ports meet."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from structlog.contextvars import get_contextvars

from tests.faults.ports import ANSWER
from tests.simulator.choices import Choices
from tests.simulator.scheduler import Killed, Process, Scheduler

MakeError = Callable[[], Exception]

DELAYS = {"delay": 0.05, "delay-1": 1.0, "delay-8": 8.0, "delay-40": 40.0}
"""Seconds of virtual time by the name of the fault."""
OUTAGES = {"outage": 5.0, "outage-60": 60.0}
MOST_CALLS = 10_000
"""A history has some hundreds; one that takes more goes on for ever."""
FAULTS = (*DELAYS, "weather", *OUTAGES, "kill", "stop", "expel", "duplicate", "conflict")
"""What a call can meet: see World.meet."""


class Mistake(Exception):
    """A mistake of the loader's own: an error that stands in no table."""


@dataclass(frozen=True)
class Climate:
    """The faults that a history knows, and the chance of one at each decision."""

    faults: tuple[str, ...] = ()
    chance: float = 0.0


@dataclass
class Blame:
    """What has really happened to the load of one upload, and may so be counted as an attempt."""

    ended: int = 0
    """Its process died, or was thought dead, with it in hand."""
    stopped: int = 0
    """Its process was told to stop with it in hand, which counts as none."""
    mistakes: int = 0
    poisoned: int = 0
    confused: int = 0


class World:
    """Time and chance for one history."""

    def __init__(self, seed: int, choices: Choices, climate: Climate) -> None:
        self.random = random.Random(seed)
        self.choices = choices
        self.scheduler = Scheduler()
        self.climate = climate
        self.calm = False
        self.faults: Counter[str] = Counter()
        self.calls = 0
        self.trace: list[str] | None = None
        self.blame: dict[str, Blame] = {}
        self.on_expel: Callable[[Process], None] = lambda _process: None
        self.on_delay: Callable[[], None] = lambda: None
        self._outages: dict[str, float] = {}

    @property
    def now(self) -> float:
        """Virtual seconds since the history began."""
        return self.scheduler.now

    def hexadecimal(self) -> str:
        """32 digits, as of a UUID."""
        return f"{self.random.getrandbits(128):032x}"

    def meet(self, process: Process | None, call: str, error: MakeError | None = None) -> str:
        """Note a call, or its answer, and have it meet what is decided.

        Delays let others run. Weather raises `error`, and an outage does so for each call of that
        port for a while. The process is killed, asked to stop, or expelled: thought dead by broker
        and database, though it goes on. Returns the fault: to duplicate is up to the port.
        """
        # What never sleeps would never let anybody see that it goes on for ever.
        if self.calls > MOST_CALLS or (process is not None and not process.alive):
            raise Killed
        self.calls += 1
        fault = self._draw(process, call)
        if fault:
            self._befall(process, call, fault, error)
        port = call.partition(".")[0]
        if error is not None and not call.endswith(ANSWER) and self._is_out(port):
            self.scheduler.sleep(0.2)
            raise error()
        return fault

    def _draw(self, process: Process | None, call: str) -> str:
        if self.calm or not self.climate.faults:
            return ""
        name = f"{process.name if process else '-'} {call}"
        number = self.choices.deviation(name, self.climate.chance, len(self.climate.faults))
        fault = self.climate.faults[number - 1] if number else ""
        if self.trace is not None and fault:
            who = process.name if process else "-"
            self.trace.append(f"{self.now:9.2f} {who}: {call}: {fault}")
        return fault

    def _befall(
        self, process: Process | None, call: str, fault: str, error: MakeError | None
    ) -> None:
        self.faults[fault] += 1
        if fault in DELAYS:
            self.on_delay()
            self.scheduler.sleep(DELAYS[fault])
        if process is None:
            return
        port = call.partition(".")[0]
        if fault in OUTAGES and not call.endswith(ANSWER):
            self._outages[port] = self.now + OUTAGES[fault]
        if fault == "weather" and error is not None:
            raise error()
        if fault == "kill":
            self.kill(process)
            raise Killed
        if fault == "stop":
            self.stop(process)
        if fault == "expel":
            self.charge_process(process)
            self.on_expel(process)

    def kill(self, process: Process) -> None:
        """As SIGKILL."""
        self.charge_process(process)
        process.kill()

    def stop(self, process: Process) -> None:
        """As SIGTERM."""
        for upload_id in self._in_hand(process):
            self.blame_of(upload_id).stopped += 1
        process.stop.set()

    def blame_of(self, upload_id: str) -> Blame:
        """What befell the upload's loads."""
        return self.blame.setdefault(upload_id, Blame())

    def charge_process(self, process: Process) -> None:
        """The process dies, or is thought dead: what it has in hand may count that."""
        for upload_id in self._in_hand(process):
            self.blame_of(upload_id).ended += 1

    def mistaken(self) -> Blame:
        """A mistake is met, which the upload in hand may count."""
        blame = self.blame_in_hand()
        blame.mistakes += 1
        return blame

    def blame_in_hand(self) -> Blame:
        """That of the upload which the running task works on."""
        return self.blame_of(str(get_contextvars().get("upload_id")))

    def note(self, line: str) -> None:
        """Tell of something, where a trace is kept."""
        if self.trace is not None:
            self.trace.append(f"{self.now:9.2f} {line}")

    def _in_hand(self, process: Process) -> Sequence[str]:
        """The uploads that the process works on, as its log lines would tell."""
        found: set[str | None] = {*process.in_hand}
        if process is self._running():
            found.add(get_contextvars().get("upload_id"))
        for task in process.tasks:
            context = None if task.done else task.greenlet.gr_context
            for variable in context or ():
                if variable.name == "structlog_upload_id" and context is not None:
                    value = context[variable]
                    found.add(value if isinstance(value, str) else None)
        return sorted(filter(None, found))

    def _running(self) -> Process | None:
        task = self.scheduler.current
        return None if task is None else task.process

    def _is_out(self, port: str) -> bool:
        return self._outages.get(port, 0.0) > self.now

    def heal(self) -> None:
        """End all faults: from now on the system must come to rest, with all promises kept."""
        self.calm = True
        self._outages.clear()


@dataclass
class Findings:
    """What a history broke, each in one line."""

    broken: list[str] = field(default_factory=list)

    def expect(self, holds: object, promise: str, what: str) -> None:
        """Note that the promise is broken unless it holds."""
        if not holds:
            self.broken.append(f"{promise}: {what}")
