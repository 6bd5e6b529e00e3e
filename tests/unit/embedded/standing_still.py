"""The server of an app that never gets to its next turn: run by a test."""

import threading

from flask import Flask

from embedded import server
from muster import serving
from muster.http.service import Health, provide
from muster.http.worker import Worker


def create_app() -> Flask:
    """An app that needs nothing."""
    app = Flask("still")
    provide(app, Health())
    return app


def stand_still(worker: Worker, _seconds: float) -> None:
    """Take the place of a turn of the worker's loop."""
    worker.notify()
    threading.Event().wait()


if __name__ == "__main__":
    serving.timeout = 1
    Worker._turn = stand_still  # type: ignore[method-assign, assignment]
    server.main()
