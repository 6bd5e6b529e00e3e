"""Many tasks on one thread, in virtual time; what they are in the middle of when a process dies.

A task runs until it sleeps. It is a greenlet, so that the rules under test, which know nothing of
this, can be put to sleep in the middle of a call. Nothing else switches: the same sleeps give the
same order, every time.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from greenlet import getcurrent, greenlet

_FIRST_MOMENT = datetime(2021, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here, as by SIGKILL: nothing that it does from now on is heeded."""


class Process:
    """A process of the system: its tasks, and whether it lives. A restart makes another."""

    def __init__(self, scheduler: "Scheduler", name: str) -> None:
        self.name = name
        self.alive = True
        self.stop = Stop(scheduler)
        self.failed: Exception | None = None
        self.tasks: list[Task] = []
        self.on_end: list[Callable[[], None]] = []
        self.in_hand: set[str] = set()

    def kill(self) -> None:
        """End it. The task that calls this is to raise Killed, if it is one of the process."""
        if not self.alive:
            return
        self.alive = False
        for task in self.tasks:
            task.kill()
        for call in self.on_end:
            call()


class Task:
    """One line of work, in a process or outside all."""

    def __init__(
        self, scheduler: "Scheduler", process: Process | None, work: Callable[[], None]
    ) -> None:
        self._scheduler = scheduler
        self.process = process
        self.wake_at = scheduler.now
        self.order = 0
        self.done = False
        self.greenlet = greenlet(self._run, parent=scheduler.loop)
        self._work = work

    def _run(self) -> None:
        try:
            self._work()
        except Killed:
            pass
        finally:
            self.done = True

    def kill(self) -> None:
        """Unwind it, unless it is the one that runs."""
        if self.done or self.greenlet is getcurrent():
            return
        if not self.greenlet:
            self.done = True
            return
        # Its `finally` clauses run, and every port refuses them. Meanwhile this is its parent.
        running, self._scheduler.current = self._scheduler.current, self
        try:
            self.greenlet.parent = getcurrent()
            self.greenlet.throw(Killed)
        finally:
            self._scheduler.current = running

    def wake(self) -> None:
        """Have it run as soon as its turn comes."""
        self.wake_at = min(self.wake_at, self._scheduler.now)


class Scheduler:
    """Runs tasks in the order in which they wake."""

    def __init__(self) -> None:
        self.now = 0.0
        self.loop = getcurrent()
        self.current: Task | None = None
        self._tasks: list[Task] = []
        self._turn = 0

    def clock(self) -> float:
        """Seconds of virtual time."""
        return self.now

    def moment(self) -> datetime:
        """The virtual time as a date."""
        return _FIRST_MOMENT + timedelta(seconds=self.now)

    def start(
        self, work: Callable[[], None], process: Process | None = None, at: float = 0.0
    ) -> Task:
        """Run `work` as a task from the time `at` on."""
        task = Task(self, process, work)
        task.wake_at = max(at, self.now)
        self._queue(task)
        self._tasks.append(task)
        if process is not None:
            process.tasks.append(task)
        return task

    def sleep(self, seconds: float) -> None:
        """Let the others run until so much time has passed; raises Killed if the process dies."""
        task = self.current
        if task is None:
            raise RuntimeError("only a task sleeps")
        if task.process is not None and not task.process.alive:
            raise Killed
        task.wake_at = self.now + max(seconds, 0.0)
        self._queue(task)
        self.loop.switch()

    def run(self, is_over: Callable[[], bool], until: float) -> None:
        """Run until `is_over`, or the virtual time `until`; then stay as it is."""
        while not is_over():
            self._tasks = [task for task in self._tasks if not task.done]
            if not self._tasks:
                return
            task = min(self._tasks, key=_by_turn)
            if task.wake_at > until:
                return
            self.now = max(self.now, task.wake_at)
            self.current = task
            task.greenlet.parent = self.loop
            task.greenlet.switch()
            self.current = None

    def _queue(self, task: Task) -> None:
        self._turn += 1
        task.order = self._turn

    def end(self) -> None:
        """Unwind all that still sleeps."""
        for task in self._tasks:
            if task.process is not None:
                task.process.alive = False
            task.kill()


class Stop:
    """Stands in for the Event that a signal sets; to wait for it is to sleep."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False
        self._waiting: list[Task] = []

    def is_set(self) -> bool:
        """Whether the process was asked to stop."""
        return self._is_set

    def set(self) -> None:
        """Ask it to."""
        self._is_set = True
        for task in self._waiting:
            task.wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until it is set, or so many seconds."""
        task: Any = self._scheduler.current
        if not self._is_set:
            self._waiting.append(task)
            try:
                self._scheduler.sleep(timeout if timeout is not None else 1e9)
            finally:
                self._waiting.remove(task)
        return self._is_set


def _by_turn(task: Task) -> tuple[float, int]:
    return task.wake_at, task.order
