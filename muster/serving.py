"""Gunicorn's configuration for every service: `gunicorn -c python:muster.serving`.

One process of many threads, so that metrics need no shared files; scale by replicas. gunicorn reads
the names below: https://gunicorn.org/reference/settings/
"""

from muster import startup

# isort: split
import os
import sys
from typing import Any

from muster.http.settings import ServerSettings

_SETTINGS = ServerSettings()

bind = os.environ.get("MUSTER_BIND", "127.0.0.1:8080")
worker_class = "muster.http.worker.Worker"
logger_class = "muster.http.worker.ServerLog"
workers = 1
threads = _SETTINGS.threads
worker_connections = _SETTINGS.max_connections
# gunicorn only checks that it is not 0: the worker has a setting of its own.
keepalive = 75
timeout = 120
graceful_timeout = 30
# The heartbeat file must not be on a disk that blocks.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
control_socket_disable = True
# By default gunicorn lets whoever is on this machine say where a request came by (SCRIPT_NAME,
# PATH_INFO) and whether by HTTPS. What proxies say is the app's to believe, by its settings.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
# The last argument names the app: gateway.app:create_app().
_SERVICE = sys.argv[-1].partition(".")[0]
# Lines of the process that starts the workers. Those of a worker go where the service's go, in the
# same shape, once the app has configured logging.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "muster.observability.logs.json_lines", "service": _SERVICE}},
    "handlers": {
        "console": {"()": "muster.observability.logs.console_handler", "formatter": "json"}
    },
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
    },
}


def when_ready(_server: Any) -> None:
    """Be done with starting, in the process that starts the workers."""
    startup.complete()


def pre_fork(_server: Any, _worker: Any) -> None:
    """Have the worker begin as a process that starts: it imports the app."""
    startup.begin()


def post_worker_init(_worker: Any) -> None:
    """Be done with starting, in a worker."""
    startup.complete()
