"""Settings, from environment variables `MUSTER_*`: how they are read, and those that many have.

A service's own `settings.py` lists the fields it uses, as a subclass. Defaults are the embedded
ones, under `MUSTER_HOME`. Settings are read once, as a process starts.

The value of a `SecretUrl` or `SecretWord` may stand in a file, which the variable of that name with
`_FILE` behind names: as Docker and Kubernetes mount secrets, and as an agent of a vault writes
them. The environment of a process is seen by more eyes than its files are. No error shows what such
a file or variable holds.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from muster.adapters import ConfigurationError, exit_if_misconfigured

_EMBEDDED = {
    "broker_url": "sqlite:///{home}/broker.db",
    "csv_store_url": "file:///{home}/store",
    "auth_database_url": "sqlite:///{home}/auth.db",
    "employment_database_url": "sqlite:///{home}/employment.db",
    "notification_database_url": "sqlite:///{home}/notification.db",
    "smtp_url": "maildir:///{home}/mail",
}
_PREFIX = "MUSTER_"
_SUFFIX = "_FILE"
_LONGEST = 64 * 1024
_SECRET = "secret"  # noqa: S105
"""Marks a setting in its annotation."""
SecretUrl = Annotated[str, _SECRET]
"""A URL that may have a password in it."""
SecretWord = Annotated[SecretStr | None, _SECRET]
"""A password, or another word that is secret."""


class EnvironmentSettings(BaseSettings):
    """Settings from the variables of the environment, and from the files that some of them name."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a caller says, then files, then variables. Raises ConfigurationError."""
        files = _SecretFiles(settings_cls)
        return (init_settings, files, env_settings, dotenv_settings, file_secret_settings)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        secrets = secrets_of(type(self))
        for name, value in super().__repr_args__():
            yield name, "**********" if name in secrets and value else value


class ServiceSettings(EnvironmentSettings):
    """What every service reads. A URL left out is the embedded default below `home`."""

    home: Path = Field(
        default=Path("var"), description="The data directory of the embedded default."
    )
    log_level: str = Field(default="INFO", description="The minimum level that is logged.")
    auth_url: str = Field(
        default="http://127.0.0.1:8081",
        description="Where the auth service answers, for its public keys and its revocations.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_embedded_urls(cls, values: dict[str, Any]) -> dict[str, Any]:
        home = quote(str(Path(values.get("home") or "var").absolute()))
        for name, url in _EMBEDDED.items():
            if name in cls.model_fields and not values.get(name):
                values[name] = url.format(home=home)
        return values


class DatabaseSettings(ServiceSettings):
    """What a service reads that has a database."""

    allow_multi_primary: bool = Field(
        default=False,
        description="Use a database server of a cluster in which several members take writes.",
    )


class SchemaSettings(DatabaseSettings):
    """What a service reads that makes the tables of its database, by a command of its own."""

    wait_seconds: float = Field(
        default=600.0,
        ge=0,
        description="How long a command that runs once waits for its database and tables.",
    )


class WorkerSettings(ServiceSettings):
    """What a service reads that works with uploads, by messages or by records."""

    broker_url: SecretUrl = Field(
        default="", description="The message broker. Default: sqlite, broker.db in MUSTER_HOME."
    )
    csv_store_url: SecretUrl = Field(
        default="",
        description="The store of files and upload records. Default: file, store in MUSTER_HOME.",
    )
    health_host: str = Field(
        default="127.0.0.1", description="The address at which a worker process serves its health."
    )
    health_port: int | None = Field(
        default=None,
        description="The port at which a worker process serves health and metrics; unset: none.",
    )
    stuck_seconds: float = Field(
        default=300.0,
        gt=0,
        description="A worker that has not reached for so long what another would is not alive.",
    )


class FileSettings(WorkerSettings):
    """What a service reads that accepts or loads uploads, and not reads their records alone."""

    undo_days: float = Field(
        default=30.0,
        ge=0,
        allow_inf_nan=False,
        description="For how many days the rows as they were before a change are kept, to undo it.",
    )

    file_store_url: SecretUrl = Field(
        default="",
        description="The store of files, if not in the CSV store. Default: MUSTER_CSV_STORE_URL.",
    )


class _SecretFiles(PydanticBaseSettingsSource):
    """The values that stand in files."""

    def __call__(self) -> dict[str, str]:
        found = {name: self._value_of(name) for name in secrets_of(self.settings_cls)}
        return {name: value for name, value in found.items() if value is not None}

    def get_field_value(self, _field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Of one setting: its value, its name, and that the value is not JSON."""
        return self._value_of(field_name), field_name, False

    def _value_of(self, name: str) -> str | None:
        variable = _variable(name)
        path = os.environ.get(variable + _SUFFIX)
        if not path:
            return None
        if os.environ.get(variable):
            raise ConfigurationError(
                f"{variable} and {variable}{_SUFFIX} are both set: remove one of them."
            )
        return _read(variable + _SUFFIX, Path(path))


Settings = TypeVar("Settings", bound=BaseSettings)


def read_settings(kind: type[Settings], program: str) -> Settings:
    """The settings of `program`, which ends with one sentence where they can't be used."""
    with exit_if_misconfigured(program):
        try:
            return kind()
        except ValidationError as error:
            raise ConfigurationError("; ".join(map(_sentence, error.errors()))) from error


def secrets_of(settings: type[BaseSettings]) -> set[str]:
    """The names of the settings that hold secrets."""
    return {name for name, field in settings.model_fields.items() if _SECRET in field.metadata}


def variables_of(settings: type[BaseSettings]) -> set[str]:
    """The variables that are read, those that name files among them."""
    names = set(map(_variable, settings.model_fields))
    return names | {_variable(name) + _SUFFIX for name in secrets_of(settings)}


def is_given(name: str, environment: Mapping[str, str]) -> bool:
    """Whether `environment` has a value for the setting, or a file that holds one."""
    variable = _variable(name)
    return bool(environment.get(variable) or environment.get(variable + _SUFFIX))


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


def _sentence(problem: Any) -> str:
    where = problem["loc"]
    return f"{_variable(str(where[0]))}: {problem['msg']}" if where else str(problem["msg"])


def _read(variable: str, path: Path) -> str:
    """What the file holds, without its last line break. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{variable} names {path}, which can't be read: {error.strerror}."
        ) from error
    if len(content) > _LONGEST:
        raise ConfigurationError(f"{variable} names {path}, which has more than {_LONGEST} bytes.")
    try:
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # From None: the reason quotes the file.
        raise ConfigurationError(f"{variable} names {path}, which holds no UTF-8.") from None
    if not value:
        raise ConfigurationError(f"{variable} names {path}, which is empty.")
    return value
