"""What an error means, over all adapters; `docs/weather.md` shows it as tables.

**Weather**: a network, a server, a disk or an operator has done something that passes, or that
somebody can put right. Whoever meets it waits and tries again; no upload ends by it, and no attempt
is counted. **The file**: what is wrong is in the upload, which fails. **Ourselves**: whatever else
is raised is a mistake of Muster's, which costs the upload one of its attempts.

The adapters raise weather as their port's `Unavailable`. What their drivers and the system call it
is listed here, and nowhere else.
"""

import errno
import sqlite3
from collections.abc import Mapping
from typing import ClassVar


class Unavailable(Exception):
    """Weather: what is needed does not answer, or can't be used just now. Try again."""

    awaits: ClassVar[str]
    """What is waited for, as the upload's `error` has it: `waiting-for-` and this."""


class StoreUnavailable(Unavailable):
    """The store of files or of upload records did not answer in time, or is full."""

    awaits = "store"


class DiskUnavailable(Unavailable):
    """The process can have no file of its own now: its disk or its table of files is full, say."""

    awaits = "disk"


class FileDamaged(Exception):
    """The file's fault: it is there, and some of its bytes are lost, for certain and for good."""


DISK: frozenset[int] = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
    }
)
"""What the system says of files that can't be had now, by `OSError.errno`."""

SQLITE: frozenset[int] = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_ABORT,
    }
)
"""Of SQLite's primary result codes, https://sqlite.org/rescode.html."""

MYSQL_INTERRUPTED: Mapping[int, str] = {
    1317: "the query was interrupted",
    1969: "max_statement_time is over (MariaDB)",
    3024: "max_execution_time is over",
}
"""Weather, too, but a limit that a proxy has for statements meets the same load again and again."""

MYSQL_CONFLICTS: Mapping[int, str] = {
    1020: "the row has changed since the snapshot (MariaDB)",
    1213: "deadlock",
    3101: "group replication rolled it back",
}
"""Weather, too: another transaction wrote the same rows, and this one can be run again at once."""

MYSQL_DENIED: Mapping[int, str] = {
    1044: "access to the database is denied",
    1045: "access is denied",
    1049: "there is no such database",
    1129: "the host is blocked",
    1130: "the host isn't allowed",
    1142: "a privilege for the table is missing",
    1143: "a privilege for the column is missing",
    1227: "a privilege is missing",
    1275: "the password is of an old kind",
    1524: "a plugin isn't loaded",
    1698: "access is denied",
    1820: "the password has expired",
    1862: "the password has expired",
    3118: "the account is locked",
    3159: "connections must use TLS",
    3955: "the account is blocked after failed logins",
    4151: "the account is locked (MariaDB)",
    2059: "a plugin for authentication can't be loaded",
    2061: "authentication failed",
}
"""Weather, too: an operator may be just making the accounts. Where nobody is, it stays so."""

MYSQL: Mapping[int, str] = {
    # Again
    **MYSQL_CONFLICTS,
    1180: "an error during COMMIT",
    1205: "waited too long for a lock",
    1206: "there is no room for more locks",
    1412: "the table was altered since the snapshot",
    1613: "a lock was waited for too long (XA)",
    1614: "deadlock (XA)",
    1637: "too many transactions at once",
    3058: "deadlock of named locks",
    3100: "group replication could not look at the transaction",
    3572: "a lock was not to be waited for",
    3797: "waited too long for what the group has committed",
    **MYSQL_INTERRUPTED,
    # Away
    1053: "the server shuts down",
    1077: "the server ended normally",
    1079: "the server is being ended",
    1080: "a thread is being ended by force",
    1081: "no socket could be made",
    1152: "the connection was aborted",
    1158: "a packet could not be read",
    1159: "a packet was not read in time",
    1160: "a packet could not be written",
    1161: "a packet was not written in time",
    1184: "the connection was aborted",
    1189: "the network failed while reading",
    1190: "the network failed while writing",
    1927: "the connection was killed (MariaDB)",
    3032: "the server is in offline mode",
    3168: "the server isn't available",
    3169: "the session was killed",
    4031: "the connection was idle for too long",
    2001: "no socket could be made",
    2002: "can't connect by the socket",
    2003: "can't connect",
    2004: "no socket could be made",
    2005: "the host's name isn't known, yet",
    2006: "the server has gone away",
    2009: "the host is the wrong one",
    2012: "broken off during the handshake",
    2013: "the connection was lost during the query",
    2026: "TLS failed: an operator may be renewing a certificate",
    2027: "half a packet",
    2045: "the shared memory can't be connected to",
    2048: "the connection is none",
    2055: "the connection was lost",
    # Full
    1004: "a file can't be made",
    1015: "a file can't be locked",
    1016: "a file can't be opened",
    1017: "a file can't be found",
    1021: "the disk is full",
    1023: "a file can't be closed",
    1024: "a file can't be read",
    1026: "a file can't be written",
    1030: "the storage engine's error, as when the disk is full",
    1037: "out of memory",
    1038: "out of memory for sorting",
    1040: "too many connections",
    1041: "out of memory",
    1114: "the table is full",
    1135: "no thread could be made",
    1203: "too many connections of the user",
    1226: "the user has used up what it may",
    2008: "the client is out of memory",
    3170: "the memory of the user is used up",
    3675: "the disk is full",
    # Read-only
    1036: "the table is read-only",
    1047: "a node of a cluster isn't ready",
    1099: "the table is locked for reading",
    1192: "tables are locked",
    1223: "all tables are locked for reading",
    1290: "the server is read-only",
    1792: "the transaction is read-only",
    1836: "the server is read-only",
    3796: "a member of a group isn't ready",
    3989: "the database is read-only",
    # Not as it should be, and for an operator to put right, who may be just doing it. A loader that
    # gave up instead would fail every upload behind it.
    **MYSQL_DENIED,
    1054: "there is no such column: not migrated yet",
    1146: "there is no such table: not migrated yet",
    # MySQL has it for what has no number of its own. A proxy says it when there is no server.
    1105: "an unknown error, as when a proxy finds no server",
}
"""By the number of the error: those below 2000 and from 3000 are the server's, the others the
client's. See https://dev.mysql.com/doc/mysql-errors/8.4/en/ and
https://mariadb.com/docs/server/reference/error-codes
"""

MONGODB_MISTAKES: Mapping[int, str] = {
    10334: "the document is too large",
    17280: "a key is too long for its index",
    17419: "the document would become too large",
}
"""Codes of OperationFailure that are ourselves, for they lie in what was to be written. Whatever
else MongoDB raises is weather: it names the wrong user, say, and an operator puts that right.
"""

S3_MISTAKES: Mapping[str, str] = {
    "EntityTooLarge": "the object is too large",
    "EntityTooSmall": "a part is too small",
    "InvalidPartOrder": "the parts are out of order",
    "KeyTooLongError": "the object's name is too long",
    "MetadataTooLarge": "what is said of the object is too long",
}
"""Codes of S3's errors that are ourselves, too. Whatever else it answers is weather: it is asked to
slow down, its disk is full, there is no such bucket or the key may not use it, say.
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""
