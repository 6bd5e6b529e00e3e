"""A restore drill: servers restored as of different moments, with uploads, an undo and an erasure.

Whatever is older, either all adds up once the steps of docs/backup.md are done, or the audit names
what to do.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from embedded.demo.expected import COLUMNS
from embedded.suite_process import SuiteProcess
from tests.e2e.families import Family
from tests.e2e.patient import admin_of
from tests.e2e.workload import UploadFile, make_files
from tests.servers.rabbitmq import remove_topology

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

# Each document as its collection has it.
Documents = Mapping[str, Sequence[dict[str, Any]]]


class Backups:
    """Backs up and restores a family's MariaDB and MongoDB, and empties its RabbitMQ."""

    def __init__(self, family: Family) -> None:
        self._environment = family.environment
        self._mysql = urlsplit(family.environment["MUSTER_EMPLOYMENT_DATABASE_URL"])
        self._mongo = family.environment["MUSTER_CSV_STORE_URL"]

    def employment(self) -> bytes:
        """A dump of one consistent view, as docs/backup.md has it."""
        options = ["--single-transaction", "--databases", self._name]
        dump = ["mariadb-dump", *self._account(), *options]
        return subprocess.run(dump, check=True, capture_output=True).stdout

    def restore_employment(self, dump: bytes) -> None:
        """Its tables and rows, and no others."""
        drop = f"DROP DATABASE `{self._name}`;\n".encode()
        subprocess.run(["mariadb", *self._account()], check=True, input=drop + dump)

    def store(self) -> Documents:
        """Records and files."""
        with MongoClient[dict[str, Any]](self._mongo) as client:
            database = self._store_in(client)
            return {name: [*database[name].find()] for name in database.list_collection_names()}

    def restore_store(self, documents: Documents) -> None:
        """These records and files, and no others."""
        with MongoClient[dict[str, Any]](self._mongo) as client:
            database = self._store_in(client)
            for name in {*database.list_collection_names(), *documents}:
                database[name].delete_many({})
                if documents.get(name):
                    database[name].insert_many(documents[name])

    def lose_broker(self) -> None:
        """Delete the queues, and all messages with them."""
        url = self._environment["MUSTER_BROKER_URL"]
        server, _, prefix = url.partition("?prefix=")
        remove_topology(server, prefix)

    def _store_in(self, client: MongoClient[dict[str, Any]]) -> Database[dict[str, Any]]:
        return client[urlsplit(self._mongo).path[1:]]

    def _account(self) -> list[str]:
        server = [f"--host={self._mysql.hostname}", f"--port={self._mysql.port}"]
        return ["--no-defaults", *server, "--protocol=tcp", f"--user={self._mysql.username}"]

    @property
    def _name(self) -> str:
        return self._mysql.path[1:]


def command(family: Family, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **family.environment, "MUSTER_HOME": str(family.home)},
        capture_output=True,
        text=True,
        check=False,
    )


def audit(family: Family) -> subprocess.CompletedProcess[str]:
    audited = command(family, "dbuploader.journal.audit", "--all")
    print(f"The audit ended with {audited.returncode}:\n{audited.stdout}{audited.stderr}")
    return audited


def send(suite: SuiteProcess, files: Sequence[UploadFile]) -> list[str]:
    """Send the files, have the loader die on the way, and wait for all; returns the ids."""
    with admin_of(suite) as client:
        for file in files:
            file.accepted = file.send(client)
        suite.kill("dbuploader-consumer")
        return [client.wait(file.accepted["id"])["id"] for file in files]


def undo_the_last_that_loaded(suite: SuiteProcess, ids: Sequence[str]) -> str:
    with admin_of(suite) as client:
        uploads = [client.get_upload(each) for each in reversed(ids)]
        loaded = next(
            each for each in uploads if each["rows"]["inserted"] and each["state"] != "validated"
        )
        return str(client.wait(client.undo(loaded["id"])["id"])["id"])


def erase_a_hire(suite: SuiteProcess, later: Sequence[UploadFile]) -> str:
    """Erase a hire that is not in `later` files, which it would be left out of."""
    others = {row[0] for file in later for row in file.records}
    with admin_of(suite) as client:
        held = (row["id"] for row in client.rows("hired_employees"))
        key = next(each for each in held if str(each) not in others)
        url = f"{client.url}/v1/tables/hired_employees/rows/{key}"
        accepted = client.session.delete(url, timeout=60)
        accepted.raise_for_status()
        return str(client.wait(accepted.json()["id"])["id"])


def told(suite: SuiteProcess) -> tuple[dict[str, Any], dict[str, Any]]:
    """How each upload ended, and the rows of each table."""
    with admin_of(suite) as client:
        uploads = [client.wait(each["id"]) for each in client.uploads()]
        names = ("state", "rows", "error", "is_undone")
        ends = {each["id"]: {name: each[name] for name in names} for each in uploads}
        return ends, {table: client.rows(table) for table in COLUMNS}


def test_servers_that_are_restored_as_of_three_moments(own_servers: Family) -> None:
    files = make_files(18, 60, seed=12)
    backups = Backups(own_servers)
    with own_servers.run() as suite:
        send(suite, files[:6])
        oldest_database, oldest_store = backups.employment(), backups.store()
        undo_the_last_that_loaded(suite, send(suite, files[6:12]))
        erase_a_hire(suite, files[6:])
        store, before = backups.store(), told(suite)
        lost = send(suite, files[12:])
        database = backups.employment()

    # An old database, later records, and nothing of the broker.
    backups.restore_employment(oldest_database)
    backups.restore_store(store)
    backups.lose_broker()
    named = audit(own_servers)
    assert (named.returncode, "dbuploader.uploads.reload" in named.stdout) == (1, True)
    begun = time.monotonic()
    reloaded = command(own_servers, "dbuploader.uploads.reload")
    assert reloaded.returncode == 0, reloaded
    with own_servers.run() as suite:
        assert command(own_servers, "gateway.republish").returncode == 0
        assert told(suite) == before
        print(f"{reloaded.stdout}Started and loaded again in {time.monotonic() - begun:.1f} s.")
        assert audit(own_servers).returncode == 0

    # Old records, and a later database.
    backups.restore_employment(database)
    backups.restore_store(oldest_store)
    backups.lose_broker()
    with own_servers.run() as suite, admin_of(suite) as client:
        again = client.wait(files[-1].send(client)["id"])["rows"]
        assert (again["inserted"], again["updated"]) == (0, 0)
        older = audit(own_servers)
        assert (older.returncode, "count as unchanged" in older.stdout) == (1, True)
        assert all(upload in older.stdout for upload in lost)

    # The records of that moment are found after all.
    backups.restore_employment(oldest_database)
    backups.restore_store(oldest_store)
    assert audit(own_servers).returncode == 0
