#!/opt/mongo/bin/python
"""What the image mongo:8.0 does at a start, as far as docker-compose.yml and k8s/ use it.

It is its own replica set from the start, so the key of the members is not used; and the accounts
that deploy/mongo/accounts.js makes are made here.
"""

import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

from pymongo import MongoClient
from secantus import SecantusDBServer

_DATA = Path("/data/db/secantus")
_PORT = 27017


class Member(SecantusDBServer):  # type: ignore[misc]
    """A replica set's only member, called as deploy/mongo/health.js calls it.

    Clients go to the address that a member has for itself. The name outlives a pod, whose IP
    address does not.
    """

    address = ("mongo", _PORT)


def member(data: Path, port: int = _PORT, *, require_auth: bool) -> Member:
    """The member with these files, not started yet."""
    return Member(
        "0.0.0.0",  # noqa: S104 - in its container
        port,
        str(data),
        replica_set_name="rs0",
        require_auth=require_auth,
        enable_test_commands=False,
        cache_size="128M",
        oplog_max_entries=100,
    )


def _make_accounts() -> None:
    environment = os.environ
    # At a port of its own: one that was just given up can't always be had again at once.
    server = member(_DATA, _PORT + 1, require_auth=False)
    server.start()
    with MongoClient[dict[str, Any]]("127.0.0.1", _PORT + 1, directConnection=True) as client:
        client.admin.command(
            "createUser",
            environment["MONGO_INITDB_ROOT_USERNAME"],
            pwd=environment["MONGO_INITDB_ROOT_PASSWORD"],
            roles=["root"],
        )
        # Its roles are of whole databases: MongoDB alone does what deploy/mongo/roles.json says.
        for account in ("dbuploader", "gateway", "notification"):
            client.muster.command(
                "createUser",
                account,
                pwd=environment[f"MUSTER_MONGO_{account.upper()}_PASSWORD"],
                roles=[{"role": "readWrite", "db": "muster"}],
            )
    server.stop()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit


def main() -> None:
    """Serve until SIGTERM, at the first start after making the accounts."""
    signal.signal(signal.SIGTERM, _stop)
    if not _DATA.exists():
        _DATA.mkdir(parents=True)
        _make_accounts()
    server = member(_DATA, require_auth=True)
    server.start()
    try:
        server.wait()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
