"""What stands in for threads, pipes, clocks and chance while histories run.

The rules take their ports and their `stop` as arguments, and the simulation gives them its own.
What they take for granted is replaced here for as long: the time now, the clocks that are defaults
of arguments, identifiers, and the threads of a load, whose calls are made one after the other
instead. Nothing of it is known by name of its user: a module that begins to use one has it too.
"""

import logging
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID, uuid4

import structlog

from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.load_data import RowPipe
from dbuploader.uploads.watchdog import process_time
from muster.contracts import uploads
from notification.channels.email import message
from tests.simulator.world import World

T = TypeVar("T")

_PACKAGES = ("muster.", "gateway.", "dbuploader.", "notification.")


class Call:
    """Stands in for a Future."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._outcome: list[Any] = []
        self._error: BaseException | None = None

    @property
    def made(self) -> bool:
        """Whether it was made."""
        return bool(self._outcome) or self._error is not None

    def make(self) -> None:
        """Make it, once."""
        if not self.made:
            try:
                self._outcome.append(self._call())
            except BaseException as error:
                self._error = error
                raise

    def result(self) -> Any:
        """What it returned, or raised."""
        self.make()
        if self._error is not None:
            raise self._error
        return self._outcome[0]


class OneAfterAnother:
    """Stands in for a thread: a call is made when the next is given, or its result is asked for.

    So it is made as late as a thread may make it.
    """

    def __init__(
        self,
        waiting: Callable[[], None] = lambda: None,
        *,
        interrupt: Callable[[], None] = lambda: None,
        ahead: int = 1,
        may_stay: bool = False,
    ) -> None:
        del interrupt, ahead, may_stay
        self._waiting = waiting
        self._calls: deque[Call] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind is None:
            self.finish()
        self._calls.clear()

    busy = False

    def submit(self, call: Callable[[], T]) -> Any:
        """Have it made later; raises what a call before raised."""
        self.finish()
        self._calls.append(Call(call))
        return self._calls[-1]

    def result(self, call: Any) -> Any:
        """What it returned, or raised."""
        self._waiting()
        while self._calls and not call.made:
            self._calls.popleft().make()
        return call.result()

    def check(self) -> None:
        """Nothing is made unasked."""

    def finish(self) -> None:
        """Make all that was given."""
        self._waiting()
        while self._calls:
            self._calls.popleft().make()


class Text:
    """Stands in for a named pipe: the lines are kept."""

    def __init__(self, _directory: Path) -> None:
        self.path: Any = self
        self.text = b""
        self.lines = 0
        self.is_whole = False

    def open(self) -> None:
        """Nobody has to wait."""

    def write(self, text: bytes) -> None:
        """Keep it."""
        self.lines += text.count(b"\n")
        self.text += text

    def close(self, *, whole: bool = True) -> None:
        """All is there, or what there is."""
        self.is_whole = whole

    def leave(self) -> None:
        """Nobody waits."""

    unlink = leave

    def __str__(self) -> str:
        return "rows.tsv"


class Present:
    """The world whose time and chance everybody has."""

    world: ClassVar[World | None] = None


def _world() -> World:
    if Present.world is None:
        raise RuntimeError("no history runs")
    return Present.world


def _now() -> Any:
    return _world().scheduler.moment()


def _write_nothing(_message: Any, _template: str, **_values: Any) -> None:
    pass


def _clock() -> float:
    return _world().now


def _uuid4() -> UUID:
    return UUID(hex=_world().hexadecimal())


_REPLACED: tuple[tuple[Any, Any], ...] = (
    (uploads.now, _now),
    (uuid4, _uuid4),
    (process_time, _clock),
    (time.monotonic, _clock),
    (BackgroundWorker, OneAfterAnother),
    (RowPipe, Text),
)


@contextmanager
def installed() -> Iterator[None]:
    """Have everything stand in within the block, in this process."""
    undo: list[Callable[[], None]] = []

    def put(owner: Any, name: str, value: Any) -> None:
        before = getattr(owner, name)
        undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)

    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        for module in [*sys.modules.values()]:
            if getattr(module, "__name__", "").startswith(_PACKAGES):
                _replace_in(module, put)
        put(uuid, "uuid4", _uuid4)
        # What an email says is not looked at here, and to write it takes longer than to load rows.
        put(message, "write_body", _write_nothing)
        yield
    finally:
        for call in reversed(undo):
            call()
        structlog.configure(**configured)


def _replace_in(module: Any, put: Callable[[Any, str, Any], None]) -> None:
    for name, value in list(vars(module).items()):
        for original, standin in _REPLACED:
            if value is original:
                put(module, name, standin)
        for function in _functions_of(value):
            if function.__module__ == module.__name__ and function.__defaults__:
                defaults = tuple(_standin_of(each) for each in function.__defaults__)
                if any(a is not b for a, b in zip(defaults, function.__defaults__, strict=True)):
                    put(function, "__defaults__", defaults)


def _functions_of(value: Any) -> Iterator[FunctionType]:
    members = vars(value).values() if isinstance(value, type) else (value,)
    for member in members:
        function = getattr(member, "__wrapped__", member)
        if isinstance(function, FunctionType):
            yield function


def _standin_of(value: Any) -> Any:
    return next((standin for original, standin in _REPLACED if value is original), value)
