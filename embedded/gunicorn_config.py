"""Gunicorn's configuration under the supervisor: `gunicorn -c python:embedded.gunicorn_config`."""

import os
import signal
from typing import Any

from embedded.lifeline import die_with_parent
from muster.serving import *  # noqa: F403


def post_fork(arbiter: Any, _worker: object) -> None:
    """Have the worker end with its arbiter, which ends with the supervisor.

    By itself a worker would first finish its requests, up to 30 s, while a new one runs already.
    """
    die_with_parent(signal.SIGKILL)
    if os.getppid() != arbiter.pid:
        os._exit(1)
