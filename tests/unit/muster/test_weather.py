"""What errors mean: the tables of docs/weather.md are what the adapters go by."""

import errno
import inspect
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from mysql.connector import errors as mysql_errors
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError
from sqlalchemy.exc import DBAPIError

import muster.broker
import muster.database
from muster import weather
from muster.backends import servers
from muster.backends.mongodb import MongoConnection
from muster.backends.shared import Shared
from muster.database import AccessDenied, DatabaseUnavailable, StatementInterrupted, WriteConflict
from muster.database.mysql import MysqlDialect
from muster.database.sqlite import SqliteDialect
from muster.weather import StoreUnavailable, Unavailable
from tests.faults.table import WEATHER_TABLE

PAGE = (Path(__file__).parents[3] / "docs" / "weather.md").read_text(encoding="utf-8")
PORTS = (muster.database, muster.broker, servers, weather)


@pytest.mark.parametrize(
    ("of", "means", "numbers"),
    [
        ("MySQL, MariaDB", "weather", weather.MYSQL),
        ("SQLite", "weather", weather.SQLITE),
        ("MongoDB", "ourselves", weather.MONGODB_MISTAKES),
        ("scratch folder", "weather", weather.DISK),
    ],
)
def test_the_page_lists_what_the_adapters_go_by(
    of: str, means: str, numbers: Mapping[int, str]
) -> None:
    rows = {row.number: row for row in WEATHER_TABLE if row.of == of}
    assert set(rows) == set(numbers)
    assert {row.means for row in rows.values()} == {means}
    if isinstance(numbers, Mapping):
        assert {number: row.why for number, row in rows.items()} == dict(numbers)


def test_the_page_lists_what_s3_says_of_our_mistakes() -> None:
    rows = dict(re.findall(r"^\| S3 \| `(\w+)` \| ourselves \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == weather.S3_MISTAKES


def test_the_names_on_the_page_are_those_of_the_numbers() -> None:
    for row in WEATHER_TABLE:
        if row.of == "SQLite":
            assert getattr(sqlite3, row.name) == row.number
        if row.of == "scratch folder":
            assert errno.errorcode[row.number] == row.name


def test_the_page_lists_every_weather_of_every_port() -> None:
    kinds = {
        (kind.awaits, name)
        for module in PORTS
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Unavailable)
        if kind is not Unavailable and kind.__module__ == module.__name__
    }
    assert {port for port, _ in kinds} == {"database", "store", "broker", "disk"}
    for port, name in kinds:
        assert f"| {port} | `{name}` | weather |" in PAGE


def mysql() -> MysqlDialect:
    return MysqlDialect("mysql://muster:secret@127.0.0.1/muster")


def mysql_error(number: int) -> DBAPIError:
    return DBAPIError("", {}, mysql_errors.get_mysql_exception(number, "so it is"))


@pytest.mark.parametrize("number", sorted(weather.MYSQL))
def test_an_error_of_mysql_in_the_table_is_weather(number: int) -> None:
    kind = mysql().weather_of(mysql_error(number))
    assert kind is not None
    assert issubclass(kind, DatabaseUnavailable)
    assert (kind is StatementInterrupted) == (number in {1317, 1969, 3024})
    assert (kind is WriteConflict) == (number in {1020, 1213, 3101})
    assert (kind is AccessDenied) == (number in weather.MYSQL_DENIED)


# Syntax, a value out of range, too long or of the wrong type, a missing default, a division.
@pytest.mark.parametrize("number", [1048, 1064, 1264, 1292, 1364, 1365, 1366, 1406])
def test_an_error_of_mysql_that_is_not_in_the_table_is_ours(number: int) -> None:
    assert mysql().weather_of(mysql_error(number)) is None


def test_whatever_loses_the_connection_is_weather() -> None:
    error = DBAPIError("", {}, mysql_errors.Error("no number"), connection_invalidated=True)
    assert mysql().weather_of(error) is DatabaseUnavailable


def sqlite_error(code: int, message: str = "so it is") -> DBAPIError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return DBAPIError("", {}, error)


@pytest.mark.parametrize("code", sorted(weather.SQLITE))
def test_an_error_of_sqlite_in_the_table_is_weather(code: int, tmp_path: Path) -> None:
    dialect = SqliteDialect(f"sqlite:///{tmp_path}/x.db")
    extended = code | 3 << 8
    assert dialect.weather_of(sqlite_error(code)) is DatabaseUnavailable
    assert dialect.weather_of(sqlite_error(extended)) is DatabaseUnavailable


def test_other_errors_of_sqlite_are_ours_but_for_what_is_not_migrated(tmp_path: Path) -> None:
    dialect = SqliteDialect(f"sqlite:///{tmp_path}/x.db")
    assert dialect.weather_of(sqlite_error(sqlite3.SQLITE_ERROR, "near X: syntax error")) is None
    assert dialect.weather_of(sqlite_error(sqlite3.SQLITE_TOOBIG)) is None
    missing = sqlite_error(sqlite3.SQLITE_ERROR, "no such table: ledger")
    assert dialect.weather_of(missing) is DatabaseUnavailable


def raised_in_the_store(error: PyMongoError) -> BaseException:
    connection = MongoConnection("mongodb://127.0.0.1:1/muster", Shared(), "CSV store")
    connection._prepare = lambda: None  # type: ignore[method-assign]
    with pytest.raises(Exception) as caught, connection.using():  # noqa: PT011
        raise error
    connection.close()
    return caught.value


@pytest.mark.parametrize("code", sorted(weather.MONGODB_MISTAKES))
def test_what_lies_in_the_document_is_ours(code: int) -> None:
    error = OperationFailure("so it is", code)
    assert raised_in_the_store(error) is error


@pytest.mark.parametrize(
    "error", [AutoReconnect("gone"), OperationFailure("no right", 13), OperationFailure("none")]
)
def test_whatever_else_mongodb_raises_is_weather(error: PyMongoError) -> None:
    assert isinstance(raised_in_the_store(error), StoreUnavailable)
