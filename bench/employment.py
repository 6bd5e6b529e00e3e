"""The employment database as its administrator has it: for the peers, and between measurements."""

import os
import time
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import mysql.connector

_SETTINGS = (
    "version",
    "innodb_flush_log_at_trx_commit",
    "innodb_doublewrite",
    "innodb_flush_method",
    "innodb_buffer_pool_size",
    "innodb_log_file_size",
    "log_bin",
    "sync_binlog",
)
_QUIET_SECONDS = 600.0
_POLL_SECONDS = 0.05
# What an idle server keeps.
_FEW = 100


class NotQuiet(Exception):
    """The server still works for what came before, after ten minutes."""


class EmploymentDatabase:
    """A connection of its own, by the driver that Muster uses, with LOAD DATA LOCAL allowed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.connection: Any = mysql.connector.connect(
            host=parts.hostname,
            port=parts.port,
            user=parts.username,
            password=parts.password or "",
            database=parts.path.lstrip("/"),
            charset="utf8mb4",
            collation="utf8mb4_bin",
            allow_local_infile=True,
        )

    def close(self) -> None:
        """Give up the connection."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def run(self, statement: str) -> int:
        """Run a statement, and commit; returns how many rows it changed."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            count: int = cursor.rowcount
        self.connection.commit()
        return count

    def count_hires(self) -> int:
        """How many rows the table has."""
        return int(self._pairs("SELECT 'hires', COUNT(*) FROM hired_employees")["hires"])

    def empty_hires(self) -> None:
        """Have the table of hires as it was made, and its summary without a row."""
        self.run("DELETE FROM hires_summary")
        self.run("TRUNCATE TABLE hired_employees")

    def settle(self) -> None:
        """Return once nothing of what came before is left to do, for the server or the disk.

        Raises NotQuiet.
        """
        # Else the server may count rows for its statistics just then, or try to without an end.
        with self.connection.cursor() as cursor:
            cursor.execute("ANALYZE TABLE hired_employees, hires_summary")
            cursor.fetchall()
        limit = self._pairs("SHOW GLOBAL VARIABLES LIKE 'innodb_max_dirty_pages_pct%'")
        self.run("SET GLOBAL innodb_max_dirty_pages_pct = 0")
        self._wait_until_quiet()
        for name in ("innodb_max_dirty_pages_pct", "innodb_max_dirty_pages_pct_lwm"):
            self.run(f"SET GLOBAL {name} = {limit[name]}")
        os.sync()

    def settings(self) -> str:
        """What the server's durability and speed depend on, as one sentence."""
        names = ", ".join(f"'{name}'" for name in _SETTINGS)
        found = self._pairs(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
        kind = "MariaDB" if "MariaDB" in found["version"] else "MySQL"
        settings = [f"`{name}={found[name]}`" for name in _SETTINGS if name in found]
        return f"{kind}: {', '.join(settings)}."

    def _wait_until_quiet(self) -> None:
        deadline = time.monotonic() + _QUIET_SECONDS
        names = "'Innodb_buffer_pool_pages_dirty', 'Innodb_history_list_length'"
        query = f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})"
        while any(int(count) > _FEW for count in self._pairs(query).values()):
            if time.monotonic() > deadline:
                raise NotQuiet(str(self._pairs(query)))
            time.sleep(_POLL_SECONDS)

    def _pairs(self, query: str) -> Mapping[str, str]:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return {str(name): str(value) for name, value in cursor.fetchall()}
