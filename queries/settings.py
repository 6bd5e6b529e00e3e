"""The queries service's settings, from environment variables."""

from pydantic import Field

from muster.settings import DatabaseSettings, SecretUrl


class Settings(DatabaseSettings):
    """What the queries service reads beside the settings of every service."""

    employment_database_url: SecretUrl = Field(
        default="",
        description="The employment database. Default: sqlite, employment.db in MUSTER_HOME.",
    )
    employment_read_url: SecretUrl = Field(
        default="",
        description="The replicas of the employment database, which answer the questions; unset: "
        "the database itself.",
    )
