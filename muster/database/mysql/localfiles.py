"""LOAD DATA LOCAL: rows in bulk, from a private file of the client's."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mysql.connector import errors
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from muster.database import ConstraintViolated, FilesRefused, RowsDamaged

_REFUSED = {
    1148,  # not allowed with this version
    2068,  # the client was not told to allow it
    3948,  # local_infile is off (MySQL)
    4166,  # local_infile is off (MariaDB)
}
# Never with unique_checks = 0, too: MariaDB then fills an empty table in one go, and 11.8.9 hangs
# with all of its clients if the table is read meanwhile. https://jira.mariadb.org/browse/MDEV-515
_UNCHECKED = "SET SESSION foreign_key_checks = 0"
_CHECKED = "SET SESSION foreign_key_checks = 1"
_CONSTRAINTS = {1022, 1062, 1216, 1452, 1557, 1586}


def load_file(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    path: Path,
    rows: Callable[[], int],
    *,
    replace: bool,
) -> None:
    """As the port has it.

    With LOCAL the server makes a warning of each mistake and goes on. Here each is raised:
    https://dev.mysql.com/doc/refman/8.4/en/load-data.html
    """
    quoted = connection.dialect.identifier_preparer.quote
    statement = (
        f"LOAD DATA LOCAL INFILE '{_literal(path)}' {'REPLACE ' * replace}"
        f"INTO TABLE {quoted(table)} CHARACTER SET utf8mb4 "
        "FIELDS TERMINATED BY '\\t' ESCAPED BY '' LINES TERMINATED BY '\\n' "
        f"({', '.join(quoted(column) for column in columns)})"
    )
    connection.exec_driver_sql(_UNCHECKED)
    try:
        taken = connection.exec_driver_sql(statement).rowcount
        warnings = connection.exec_driver_sql("SHOW WARNINGS LIMIT 5").all()
    except DBAPIError as error:
        if isinstance(error.orig, errors.Error) and error.orig.errno in _REFUSED:
            connection.exec_driver_sql(_CHECKED)
            raise FilesRefused(str(error.orig)) from error
        # Without its checks nobody may have it again, and to switch them on here would hide the
        # error where the connection is lost.
        connection.invalidate()
        raise
    connection.exec_driver_sql(_CHECKED)
    if {code for _, code, _ in warnings} & _CONSTRAINTS:
        raise ConstraintViolated(f"LOAD DATA into {table}: {warnings}")
    # A row counts as one, and so does one that it takes the place of.
    if warnings or taken != rows() * (1 + replace):
        raise RowsDamaged(f"LOAD DATA counted {taken} for {rows()} rows into {table}: {warnings}")


def _literal(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace("'", "\\'")
