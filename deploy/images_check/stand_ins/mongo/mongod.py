#!/opt/mongo/bin/python
"""What the image mongo:8.0 does at a start, as far as docker-compose.yml uses it.

It is its own replica set from the start, so the key of the members is not used; and the account
that deploy/mongo/account.js makes is made here.
"""

import os
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Any

from pymongo import MongoClient
from secantus import SecantusDBServer

_DATA = Path("/data/db/secantus")
_PORT = 27017


def _server(*, require_auth: bool) -> SecantusDBServer:
    # Not 0.0.0.0: at this address it tells the others to look for it.
    return SecantusDBServer(
        socket.gethostbyname(socket.gethostname()),
        _PORT,
        str(_DATA),
        replica_set_name="rs0",
        require_auth=require_auth,
        enable_test_commands=False,
        cache_size="128M",
        oplog_max_entries=100,
    )


def _make_accounts() -> None:
    environment = os.environ
    server = _server(require_auth=False)
    server.start()
    with MongoClient[dict[str, Any]](*server.address) as client:
        client.admin.command(
            "createUser",
            environment["MONGO_INITDB_ROOT_USERNAME"],
            pwd=environment["MONGO_INITDB_ROOT_PASSWORD"],
            roles=["root"],
        )
        client.muster.command(
            "createUser",
            "muster",
            pwd=environment["MUSTER_MONGO_PASSWORD"],
            roles=[{"role": "readWrite", "db": "muster"}],
        )
    server.stop()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit


signal.signal(signal.SIGTERM, _stop)
if not _DATA.exists():
    _DATA.mkdir(parents=True)
    _make_accounts()
server = _server(require_auth=True)
server.start()
try:
    server.wait()
finally:
    server.stop()
