"""What a connection sets, whatever its server or its account has for defaults.

Each setting changes what a statement answers or writes, ends it or its transaction, or hides what
went wrong. What makes statements slower or faster only is left to the server, as is what none of
Muster's statements uses. Character set, collation and autocommit are the driver's to set, which it
does first (muster.database.mysql.connection).
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from mysql.connector import errors

from muster.database import DatabaseRefused

_NO_LIMIT = 2**64 - 1
_NO_MEMORY_LIMIT = 2**63 - 1
_MEBIBYTE = 1024 * 1024
_LONGEST_TEXT = 64 * _MEBIBYTE
_LEAST_PACKET = 16 * _MEBIBYTE
_LEAST_PAGE = 16 * 1024
_LEAST_WARNINGS = 5
_SQL_MODE = ",".join(
    (
        "ONLY_FULL_GROUP_BY",
        "STRICT_ALL_TABLES",
        "NO_ZERO_IN_DATE",
        "NO_ZERO_DATE",
        "ERROR_FOR_DIVISION_BY_ZERO",
        "NO_ENGINE_SUBSTITUTION",
    )
)

READ_ONLY = "SET TRANSACTION READ ONLY"
"""Begins a read: one snapshot, in which nothing can be written."""
READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
"""Begins a write, each statement of which sees what is committed."""
BEFORE_ALL = (
    f"SET SESSION sql_select_limit = {_NO_LIMIT}, max_join_size = {_NO_LIMIT}"
    ", sql_buffer_result = OFF"
    # To MySQL it is a comment.
    f" /*M!101100 , max_session_mem_used = {_NO_MEMORY_LIMIT}, tmp_disk_table_size = {_NO_LIMIT} */"
)
"""What SHOW VARIABLES itself needs, to answer with all that there is."""


class Setting(NamedTuple):
    """A session's variable, its value as SHOW VARIABLES has it, and what other values do."""

    name: str
    value: str | int
    reason: str


SETTINGS: Sequence[Setting] = (
    # What an answer has
    Setting("sql_select_limit", _NO_LIMIT, "cuts answers, and the rows that a load looks up"),
    # This one first: on MySQL it switches the next.
    Setting("max_join_size", _NO_LIMIT, "refuses long statements"),
    Setting("sql_big_selects", "ON", "refuses long statements"),
    Setting("sql_buffer_result", "OFF", "with other defaults loses rows, to a bug (MariaDB)"),
    Setting("group_concat_max_len", _LONGEST_TEXT, "cuts the rows that a load compares"),
    Setting("sql_auto_is_null", "OFF", "finds other rows for IS NULL"),
    Setting("max_sort_length", 1024, "sorts by the beginning of a text"),
    Setting("div_precision_increment", 4, "rounds quotients"),
    Setting("default_week_format", 0, "numbers weeks otherwise"),
    Setting("lc_time_names", "en_US", "names days and months otherwise"),
    Setting("time_zone", "+00:00", "moves times"),
    Setting("query_cache_type", "OFF", "answers from a cache (MariaDB)"),
    Setting("old_mode", "", "brings back what older versions did (MariaDB)"),
    # What is written
    Setting("sql_mode", _SQL_MODE, "bends values to fit, or reads SQL otherwise"),
    Setting("foreign_key_checks", "ON", "takes rows without their parents"),
    Setting("unique_checks", "ON", "takes keys twice"),
    Setting("check_constraint_checks", "ON", "takes what a CHECK refuses (MariaDB)"),
    Setting("sql_safe_updates", "OFF", "refuses changes without a key"),
    Setting("default_storage_engine", "InnoDB", "makes tables without transactions"),
    Setting("default_tmp_storage_engine", "InnoDB", "makes tables without transactions"),
    Setting("alter_algorithm", "DEFAULT", "refuses what a migration changes (MariaDB)"),
    Setting("sql_if_exists", "OFF", "passes over what a migration misses (MariaDB)"),
    # Transactions
    Setting("completion_type", "NO_CHAIN", "begins another at COMMIT, or ends the connection"),
    Setting("transaction_isolation", "REPEATABLE-READ", "reads of several moments"),
    Setting("tx_isolation", "REPEATABLE-READ", "the same (MariaDB)"),
    Setting("transaction_read_only", "OFF", "refuses every write"),
    Setting("tx_read_only", "OFF", "the same (MariaDB)"),
    # What ends a statement
    Setting("max_execution_time", 0, "ends long queries (MySQL)"),
    Setting("max_statement_time", 0, "ends long statements (MariaDB)"),
    Setting("max_session_mem_used", _NO_MEMORY_LIMIT, "ends large statements (MariaDB)"),
    Setting("tmp_disk_table_size", _NO_LIMIT, "ends statements with long answers (MariaDB)"),
    Setting("max_tmp_session_space_usage", 0, "ends statements with long answers (MariaDB)"),
    Setting("sort_buffer_size", 2 * _MEBIBYTE, "has no room to sort long rows in"),
    # A loader that is gone for good is ended by the one that takes over: see the fence. Whatever
    # else is gone has its locks until then.
    Setting("wait_timeout", 600, "ends connections that rest, or keeps locks of one that is gone"),
    Setting("idle_transaction_timeout", 0, "ends transactions that rest (MariaDB)"),
    Setting("idle_write_transaction_timeout", 0, "ends transactions that rest (MariaDB)"),
    Setting("idle_readonly_transaction_timeout", 0, "ends transactions that rest (MariaDB)"),
    Setting("net_read_timeout", 30, "ends a load that waits for its file's next rows"),
    Setting("net_write_timeout", 60, "ends an answer that is taken slowly"),
    # What is told of it
    Setting("sql_notes", "ON", "hides what a statement passed over"),
    Setting("sql_quote_show_create", "ON", "shows a table's definition otherwise"),
    Setting("show_create_table_verbosity", "OFF", "shows a table's definition otherwise (MySQL)"),
)
LOCK_WAITS = ("innodb_lock_wait_timeout", "lock_wait_timeout")
"""How long a statement waits for a row, and for a table: `lock_seconds` of the URL."""


class Requirement(NamedTuple):
    """What a session can't set for itself: whether the server's variables will do, or why not."""

    name: str
    is_met: Callable[[Mapping[str, str]], bool]
    wanted: str
    reason: str


REQUIREMENTS: Sequence[Requirement] = (
    Requirement(
        "max_allowed_packet",
        lambda has: int(has["max_allowed_packet"]) >= _LEAST_PACKET,
        f"at least {_LEAST_PACKET}",
        "rows go by statements of some MiB",
    ),
    Requirement(
        "max_error_count",
        lambda has: int(has["max_error_count"]) >= _LEAST_WARNINGS,
        f"at least {_LEAST_WARNINGS}",
        "warnings say what LOAD DATA did not take as it was",
    ),
    Requirement(
        "binlog_format",
        lambda has: has["binlog_format"] != "STATEMENT" or has.get("log_bin") != "ON",
        "ROW",
        "with the binary log InnoDB takes no other from a transaction that reads what is committed",
    ),
    Requirement(
        "enforce_storage_engine",
        lambda has: has["enforce_storage_engine"] in ("", "InnoDB"),
        "InnoDB",
        "other engines have no transactions",
    ),
    Requirement(
        "innodb_page_size",
        lambda has: int(has["innodb_page_size"]) >= _LEAST_PAGE,
        f"at least {_LEAST_PAGE}",
        "longer keys do not fit into smaller pages",
    ),
)

NAMES = (
    *(setting.name for setting in SETTINGS),
    *LOCK_WAITS,
    *(requirement.name for requirement in REQUIREMENTS),
    "log_bin",
)
"""The variables that the functions here ask for. No server has all of them."""

_NOT_TO_BE_SET = {
    1193,  # there is no such variable
    1227,  # a privilege is missing
    1229,  # it is the server's alone
    1231,  # not to that value
    1238,  # it is read-only
}


def admit(variables: Mapping[str, str], server: str) -> None:
    """Raise DatabaseRefused if `server` has what a session can't change and Muster can't use."""
    for name, is_met, wanted, reason in REQUIREMENTS:
        if name in variables and not is_met(variables):
            raise DatabaseRefused(
                f"{server} has {name}={variables[name]} and Muster needs {wanted}: {reason}."
            )


def set_session(cursor: Any, variables: Mapping[str, str], server: str, lock_seconds: int) -> None:
    """Set all that the server knows of, by one statement.

    Raises DatabaseRefused if it does not let the account set what is otherwise than Muster needs.
    """
    values = settings_of(variables, lock_seconds)
    try:
        cursor.execute(_set(values))
    except errors.Error as error:
        if error.errno not in _NOT_TO_BE_SET:
            raise
    else:
        return
    for name, value in values.items():
        try:
            cursor.execute(_set({name: value}))
        except errors.Error as error:
            if error.errno not in _NOT_TO_BE_SET:
                raise
            if not _same(variables[name], value):
                raise DatabaseRefused(
                    f"{server} has {name}={variables[name]}, Muster needs {value}, and can't set "
                    f"it: {error.msg}."
                ) from error


def settings_of(variables: Mapping[str, str], lock_seconds: int) -> Mapping[str, str | int]:
    """What a session sets on a server that has these variables."""
    wanted = {setting.name: setting.value for setting in SETTINGS}
    wanted |= dict.fromkeys(LOCK_WAITS, lock_seconds)
    return {name: value for name, value in wanted.items() if name in variables}


def unheeded(variables: Mapping[str, str], lock_seconds: int) -> Sequence[str]:
    """The settings that a session does not have though it has set them."""
    values = settings_of(variables, lock_seconds)
    return [name for name, value in values.items() if not _same(variables[name], value)]


def _set(values: Mapping[str, str | int]) -> str:
    each = (
        f"{name} = {value}" if isinstance(value, int) else f"{name} = '{value}'"
        for name, value in values.items()
    )
    return f"SET SESSION {', '.join(each)}"


def _same(shown: str, value: str | int) -> bool:
    if isinstance(value, int):
        return Decimal(shown) == value
    # The server has the parts of a set in its own order.
    return set(shown.upper().split(",")) == set(value.upper().split(","))
