"""The settings of the suite on one machine, from environment variables `MUSTER_*`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from embedded.child import LONGEST_BACKOFF
from muster.settings import EnvironmentSettings, SecretWord


class EmbeddedSettings(EnvironmentSettings):
    """What the supervisor itself reads; every other `MUSTER_*` variable goes to the services."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    home: Path = Field(default=Path("var"), description="The data directory, made with mode 0700.")
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="The gateway's port on 127.0.0.1; 0 takes a free one.",
    )
    admin_email: str = Field(
        default="admin@example.com", description="The first administrator, made at the first start."
    )
    admin_password: SecretWord = Field(
        default=None,
        description=(
            "The first administrator's password, used when the account is made. When unset, one is "
            "generated and kept in $MUSTER_HOME/admin-password."
        ),
    )
    start_seconds: float = Field(
        default=60, gt=0, description="How long the services may take to become ready, in seconds."
    )
    restart_seconds: float = Field(
        default=LONGEST_BACKOFF,
        gt=0,
        description="How long a process that keeps dying rests at most before it is started again.",
    )
    stop_seconds: float = Field(
        default=10,
        gt=0,
        description="How long a process may take to stop before it is killed, in seconds.",
    )
