"""`python -m embedded.server gateway.app:create_app()`: a service's worker, without an arbiter.

gunicorn's arbiter is a process beside each worker: it starts the worker again, has it stop, and
ends it when its loop stands still. Here the supervisor does the first two for all of them, and a
watchdog in the worker the third. The configuration is that of every service: muster.serving.
"""

from muster import startup  # noqa: F401

# isort: split
import faulthandler
import os
import sys
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.sock import create_sockets
from gunicorn.util import import_app

from muster.http.worker import Worker


class _Service(BaseApplication):
    """The app that the command names, with the configuration of every service."""

    def load_config(self) -> None:
        # It reads the environment, which in a process that is to be forked is not there yet.
        from muster import serving

        for name in self.cfg.settings.keys() & vars(serving).keys():
            self.cfg.set(name, getattr(serving, name))

    def load(self) -> Any:
        return import_app(sys.argv[-1])


class _WatchedWorker(Worker):
    """A worker that ends when its loop stands still, and says where each thread was."""

    def notify(self) -> None:
        super().notify()
        faulthandler.dump_traceback_later(self.cfg.timeout, exit=True)


def main() -> None:
    """Serve until told to stop. Ends with gunicorn's status for an app that does not load."""
    service = _Service()
    cfg = service.cfg
    log = cfg.logger_class(cfg)
    listeners = create_sockets(cfg, log)
    worker = _WatchedWorker(1, os.getppid(), listeners, service, cfg.timeout / 2, cfg, log)
    worker.pid = os.getpid()  # type: ignore[assignment]
    try:
        worker.init_process()
    except AppImportError as error:
        print(error, file=sys.stderr)
        sys.exit(Arbiter.APP_LOAD_ERROR)
    finally:
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
