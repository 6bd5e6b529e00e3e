"""A Flask app with one route that does nothing, under gunicorn as the services have it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from flask import Flask, Response

from muster.http.service import Health, provide

_BODY = "BENCH_BODY"
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05


def create_app() -> Flask:
    """The app; it answers with the bytes of the file that the environment names."""
    app = Flask("bare")
    # The services' worker asks every app for it, once.
    provide(app, Health())
    body = Path(os.environ[_BODY]).read_bytes()

    @app.get("/")
    def answer() -> Response:
        return Response(body, mimetype="application/json")

    return app


@contextmanager
def serving(body: Path) -> Iterator[str]:
    """Its URL while it runs."""
    # Not above: the server imports this module, and has no place for what tests need.
    from tests.servers.process import free_port

    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "-c", "python:muster.serving"),
            f"{__name__}:create_app()",
        ],
        env={**os.environ, _BODY: str(body), "MUSTER_BIND": f"127.0.0.1:{port}"},
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while True:
            try:
                session.get(url, timeout=1)
            except requests.RequestException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return
