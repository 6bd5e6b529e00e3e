"""What a `mysql://` URL says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from muster.adapters import ConfigurationError

_FORM = "mysql://user:password@host:3306/database"
_NUMBERS = ("connections", "connect_seconds", "answer_seconds", "lock_seconds")
_OPTIONS = ("ca_file", *_NUMBERS)


@dataclass(frozen=True)
class Target:
    """Where the database is, and how it is used.

    `connections` is the most that one process opens. `answer_seconds` is how long one answer may
    take; `lock_seconds`, how long a statement waits for a lock. With `ca_file`, PEM certificates of
    authorities, the server must prove who it is.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    ca_file: str | None = None
    connections: int = 16
    connect_seconds: int = 5
    answer_seconds: int = 60
    lock_seconds: int = 20

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse(url: str) -> Target:
    """What `url` says; raises ConfigurationError, which shows neither password nor user."""
    try:
        parts = urlsplit(url)
        port = parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        user, password = unquote(parts.username or "", "utf-8", "strict"), parts.password or ""
        password, database = unquote(password, "utf-8", "strict"), unquote(parts.path[1:])
    except ValueError:
        # Without its cause, which may show the password.
        raise _refused("it can't be read; special characters are written as %XX") from None
    if not (parts.hostname and user and database) or "/" in database or parts.fragment:
        raise _refused("it must name a user, a host and a database; / # ? and @ are written as %XX")
    return Target(
        host=parts.hostname,
        port=3306 if port is None else port,
        user=user,
        password=password,
        database=database,
        **_options(query),
    )


def _options(query: list[tuple[str, str]]) -> Mapping[str, Any]:
    options: dict[str, str | int] = {}
    for name, value in query:
        if name not in _OPTIONS:
            raise _refused(f"it has no option {name!r}; known are {', '.join(_OPTIONS)}")
        if name in options:
            raise _refused(f"it has the option {name} twice")
        if name not in _NUMBERS:
            options[name] = value
        elif value.isascii() and value.isdigit() and 0 < int(value) <= 3600:
            options[name] = int(value)
        else:
            raise _refused(f"its option {name} must be a number from 1 to 3600")
    if options.get("ca_file") == "":
        raise _refused("its option ca_file names no file")
    return options


def _refused(reason: str) -> ConfigurationError:
    return ConfigurationError(f"The database URL can't be used: {reason}. Write {_FORM}.")
