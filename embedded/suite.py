"""What the suite consists of on one machine: which commands, with which environment."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from socket import socket

from embedded import ports
from embedded.child import Program
from muster.settings import is_given

_SERVICES = ("gateway", "auth", "queries", "dbuploader", "notification")
_ADMIN_PASSWORD = {"MUSTER_ADMIN_PASSWORD", "MUSTER_ADMIN_PASSWORD_FILE"}
_WORKERS = {
    "dbuploader-consumer": "dbuploader.consumer",
    "notification-consumer": "notification.consumer",
    "notification-webhooks": "notification.webhooks",
    "gateway-relay": "gateway.relay",
}


@dataclass(frozen=True)
class Suite:
    """The programs, in the order to start them, and where the gateway answers.

    `check` runs to its end first, then the `migrations`, then the rest; before the suite is ready
    `admin` must have ended well.
    """

    url: str
    check: Program
    migrations: tuple[Program, ...]
    admin: Program
    processes: tuple[Program, ...]

    def close(self) -> None:
        """Give up the ports."""
        for program in self.processes:
            if program.listener is not None:
                program.listener.close()


def plan_suite(
    environment: Mapping[str, str], port: int, email: str, password: str | None
) -> Suite:
    """Plan the suite with the gateway on `port`; raises StartError when that is taken.

    `environment` is passed on to every program, with what they need to find each other added.
    `email` and `password` are the first administrator's, given only to auth's command;
    without a password it makes no account.
    """
    listeners = {name: ports.listen(port if name == "gateway" else 0) for name in _SERVICES}
    urls = {name: _url(listener) for name, listener in listeners.items()}
    shared = {
        "MUSTER_PUBLIC_URL": urls["gateway"],
        # The person who starts the suite is watching: report at once what is wrong with a URL.
        "MUSTER_WAIT_SECONDS": "0",
        **{name: value for name, value in environment.items() if name not in _ADMIN_PASSWORD},
        "MUSTER_AUTH_URL": urls["auth"],
        "MUSTER_QUERIES_URL": urls["queries"],
        "MUSTER_DBUPLOADER_URL": urls["dbuploader"],
        "MUSTER_NOTIFICATION_URL": urls["notification"],
    }
    if not is_given("email_secret", environment):
        # Of this start alone: what is queued is fetched with that of the next.
        shared["MUSTER_EMAIL_SECRET"] = secrets.token_urlsafe(32)
    workers = tuple(_worker(name, module, shared) for name, module in _WORKERS.items())
    return Suite(
        url=urls["gateway"],
        check=Program("check-backends", _python("embedded.backends"), shared),
        migrations=tuple(
            Program(f"{owner}-migrations", _python(f"{owner}.migrations"), shared)
            for owner in ("auth", "dbuploader", "notification")
        ),
        admin=Program(
            "ensure-admin",
            _python("flask", "--app", "auth.app", "users", "ensure-admin"),
            {**shared, "MUSTER_ADMIN_EMAIL": email, "MUSTER_ADMIN_PASSWORD": password or ""},
        ),
        processes=(
            *(_service(name, listeners[name], shared) for name in _SERVICES),
            *workers,
        ),
    )


def _service(name: str, listener: socket, shared: Mapping[str, str]) -> Program:
    return Program(
        name,
        _python("embedded.server", f"{name}.app:create_app()"),
        {**shared, "MUSTER_BIND": f"fd://{listener.fileno()}"},
        health=_url(listener),
        listener=listener,
        front=name == "gateway",
    )


def _worker(name: str, module: str, shared: Mapping[str, str]) -> Program:
    reservation = ports.reserve()
    return Program(
        name,
        _python(module),
        {**shared, "MUSTER_HEALTH_PORT": str(ports.port_of(reservation))},
        health=_url(reservation),
        listener=reservation,
        front=True,
        # Of backends only.
        caller=False,
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _url(bound: socket) -> str:
    return f"http://{ports.HOST}:{ports.port_of(bound)}"
