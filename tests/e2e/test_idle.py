"""Servers are restarted while nothing is uploaded: the suite gets over it by itself."""

import os
import threading
import time

import psutil
import pytest
import requests

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN
from tests.e2e.families import Family
from tests.e2e.faults import PROCESSES
from tests.e2e.waiting import wait_until

# Ten heartbeats of RabbitMQ's default, and more than MongoDB's and MariaDB's clients take to look.
IDLE_SECONDS = float(os.environ.get("MUSTER_TEST_IDLE_SECONDS", "600"))
READY_SECONDS = 60


def ports_of(pid: int) -> set[int]:
    connections = psutil.Process(pid).net_connections("tcp4")
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


def health_url(suite: SuiteProcess, process: str) -> str:
    # One that another test has restarted listens only after a while.
    wait_until(lambda: ports_of(suite.pid(process)))
    (port,) = ports_of(suite.pid(process))
    return f"http://127.0.0.1:{port}/readyz"


def is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=30).ok
    except requests.RequestException:
        return False


@pytest.mark.chaos
@pytest.mark.timeout(IDLE_SECONDS + 600)
def test_every_service_is_ready_again_by_itself_after_servers_restart(own_servers: Family) -> None:
    share = IDLE_SECONDS / (len(own_servers.servers) + 1)
    with own_servers.run() as suite:
        pids = {name: suite.pid(name) for name in PROCESSES}
        health = {name: health_url(suite, name) for name in PROCESSES}
        waited = {}
        for name, server in own_servers.servers.items():
            threading.Event().wait(share)
            server.kill()
            server.start()
            started = time.monotonic()
            wait_until(lambda: all(map(is_ready, health.values())), READY_SECONDS)
            waited[name] = f"{time.monotonic() - started:.1f} s"
        threading.Event().wait(share)
        unready = [name for name, url in health.items() if not is_ready(url)]
        with Client(suite.url, ADMIN, suite.admin_password()) as admin:
            upload = admin.upload("departments.csv", b"1,One")
            assert admin.wait(upload["id"])["state"] == "completed"
        wait_until(lambda: any(upload["id"] in mail["Message-ID"] for mail in own_servers.emails()))
        assert unready == []
        assert {name: suite.pid(name) for name in PROCESSES} == pids
    print(f"\nready again after the restart of {waited}; nothing was restarted but the servers")
