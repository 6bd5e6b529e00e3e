"""Settings that more than one service reads, from environment variables `MUSTER_*`.

A service's own `settings.py` lists the fields it uses, as a subclass. Defaults are the embedded
ones, under `MUSTER_HOME`.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, model_validator

from muster.secret_settings import EnvironmentSettings, SecretUrl

_EMBEDDED = {
    "broker_url": "sqlite:///{home}/broker.db",
    "csv_store_url": "file:///{home}/store",
    "auth_database_url": "sqlite:///{home}/auth.db",
    "employment_database_url": "sqlite:///{home}/employment.db",
    "notification_database_url": "sqlite:///{home}/notification.db",
    "smtp_url": "maildir:///{home}/mail",
}


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
