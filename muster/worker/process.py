"""A worker process: what the three workers' mains have in common, from logging to closing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import TypeVar

from muster import startup
from muster.adapters import exit_if_misconfigured
from muster.backends.dependencies import Afresh, Check, Opened, anew
from muster.backends.servers import require_servers
from muster.http.service import Health, serve_health
from muster.observability.logs import configure_logging
from muster.observability.telemetry import export_spans
from muster.settings import WorkerSettings
from muster.worker.heartbeat import Heartbeat
from muster.worker.shutdown import on_signal

A = TypeVar("A", bound=Opened)


class WorkerProcess:
    """The process called `name`: `stop` is set by SIGTERM and SIGINT, `heartbeat` is its loop's."""

    def __init__(self, name: str, settings: WorkerSettings, adapters: ExitStack) -> None:
        self.stop = on_signal()
        self.heartbeat = Heartbeat()
        self._name = name
        self._settings = settings
        self._adapters = adapters
        self._checks: dict[str, Check] = {}
        self._checks_afresh: dict[str, Check] = {}

    def open(self, dependency: str, open_adapter: Callable[[], A]) -> A:
        """The adapter of a backend, which is closed when the process ends."""
        adapter = self._adapters.enter_context(closing(open_adapter()))
        self.watch(dependency, adapter.check, afresh=anew(open_adapter))
        return adapter

    def watch(self, dependency: str, check: Check, afresh: Check | None = None) -> None:
        """Report a backend by `check`; `afresh` is the same check over a connection of its own."""
        self._checks[dependency] = check
        if afresh is not None:
            self._checks_afresh[dependency] = afresh

    def serve_health(self, ready: Mapping[str, Check], alive: Check | None = None) -> None:
        """Serve the health routes, if a port is set; `ready` and `alive` are those of Health.

        Raises ConfigurationError first if a server refuses to work with this process.
        """
        require_servers(self._checks)
        if self._settings.health_port is None:
            return
        health = Health(
            ready,
            self._checks,
            alive or self.heartbeat.check,
            Afresh(self._checks_afresh, self._settings.stuck_seconds),
        )
        serve_health(self._name, self._settings.health_host, self._settings.health_port, health)


@contextmanager
def worker_process(name: str, settings: WorkerSettings) -> Iterator[WorkerProcess]:
    """Run the block as the worker process `name`, in the main thread.

    A ConfigurationError ends the process with status 1 and its one sentence.
    """
    with exit_if_misconfigured(name), ExitStack() as adapters:
        configure_logging(name, settings.log_level)
        export_spans(name)
        startup.complete()
        yield WorkerProcess(name, settings, adapters)
