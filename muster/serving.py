"""Gunicorn's configuration for every service: `gunicorn -c python:muster.serving`.

One process of many threads, so that metrics need no shared files; scale by replicas. gunicorn reads
the names below: https://gunicorn.org/reference/settings/
"""

import os

bind = os.environ.get("MUSTER_BIND", "127.0.0.1:8080")
worker_class = "muster.threadworker.Worker"
workers = 1
threads = int(os.environ.get("MUSTER_THREADS", "64"))
keepalive = 75
timeout = 120
graceful_timeout = 30
# The heartbeat file must not be on a disk that blocks.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
control_socket_disable = True
# Its lines go where the service's go, in the same shape, once the app has configured logging.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        # The service logs each request itself, with more in it.
        "gunicorn.access": {"level": "WARNING", "handlers": [], "propagate": True},
    },
}
