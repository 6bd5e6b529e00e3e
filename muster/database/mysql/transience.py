"""Which errors of MySQL and MariaDB pass, so that the same transaction may succeed later.

Numbers below 2000 and from 3000 are the server's, those between the client's: see
https://dev.mysql.com/doc/mysql-errors/8.4/en/ and https://mariadb.com/docs/server/reference/error-codes
"""

from mysql.connector import errors
from sqlalchemy.exc import DBAPIError

_AGAIN = {
    1020,  # the row has changed since the snapshot (MariaDB)
    1205,  # waited too long for a lock
    1213,  # deadlock
    1180,  # an error during COMMIT
    1317,  # the query was interrupted
    1969,  # max_statement_time (MariaDB)
    3024,  # max_execution_time
    3100,  # group replication could not look at it
    3101,  # rolled back by group replication
    3797,  # waited too long for what the group has committed
}
_AWAY = {
    1053,  # the server shuts down
    1077,
    1079,
    1080,
    1152,  # the connection was aborted
    1158,  # reading or writing packets failed
    1159,
    1160,
    1161,
    1184,
    1927,  # the connection was killed (MariaDB)
    3168,  # the server isn't available
    4031,  # the connection was idle for too long
    2002,  # can't connect
    2003,
    2005,  # the host's name isn't known, yet
    2006,  # the server has gone away
    2012,  # broken off during the handshake
    2013,
    2026,  # TLS failed: an operator may be renewing a certificate
    2027,  # half a packet
    2045,
    2048,
    2055,
}
_FULL = {
    1021,  # the disk is full
    1026,  # a file can't be written
    1030,  # the storage engine's error, as when the disk is full
    1037,  # out of memory
    1038,
    1040,  # too many connections
    1041,
    1114,  # the table is full
    1135,  # no thread
    1203,  # too many connections of the user
    1226,
    3675,
}
_READ_ONLY = {
    1047,  # a node of a cluster isn't ready
    1290,
    1836,
    3796,  # a member of a group isn't ready
}
# Not as it should be, and for an operator to put right, who may be just doing it. A loader that
# gave up instead would fail every upload behind it.
_NOT_SET_UP = {
    1044,  # access denied
    1045,
    1049,  # no such database
    1129,  # the host is blocked, or not allowed
    1130,
    1142,  # a privilege is missing
    1143,
    1146,  # no such table: not migrated yet
    1698,  # access denied
    1820,  # the password has expired
    1862,
    3118,  # the account is locked
    2061,  # authentication failed
}
_PASSING = _AGAIN | _AWAY | _FULL | _READ_ONLY | _NOT_SET_UP

# The driver raises these without a number.
_TIMEOUTS = (errors.ConnectionTimeoutError, errors.ReadTimeoutError, errors.WriteTimeoutError)


def is_transient(error: DBAPIError) -> bool:
    """Whether the transaction may succeed when it is run again from its start."""
    if error.connection_invalidated or isinstance(error.orig, _TIMEOUTS):
        return True
    return isinstance(error.orig, errors.Error) and error.orig.errno in _PASSING
