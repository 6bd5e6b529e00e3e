"""Gunicorn's configuration of a process that serves its Service's port, and one of its own."""

import os

from muster.serving import *  # noqa: F403

# Sockets that it inherits: `fd://7 fd://8`.
bind = os.environ["MUSTER_BIND"].split()  # type: ignore[assignment]
