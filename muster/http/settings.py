"""What a client may take of the server that answers it, from environment variables `MUSTER_*`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServerSettings(BaseSettings):
    """The settings of the HTTP server, the same in every service."""

    model_config = SettingsConfigDict(env_prefix="MUSTER_", extra="ignore", env_ignore_empty=True)

    threads: int = Field(default=64, ge=1, description="Requests that a process works on at once.")
    max_waiting_seconds: float = Field(
        default=2,
        gt=0,
        description="How long a request may wait for one of these threads in a burst; while the "
        "first of them has waited longer, further ones are refused.",
    )
    max_connections: int = Field(
        default=4096,
        ge=8,
        description="Connections that are open at once; beyond it the longest idle one is closed.",
    )
    keepalive_seconds: float = Field(
        default=75, gt=0, description="How long a connection may be idle before its next request."
    )
    head_seconds: float = Field(
        default=10, gt=0, description="How long the whole head of a request may take to arrive."
    )
    max_head_bytes: int = Field(
        default=32 * 1024, ge=1024, description="The maximum size of a request's head, in bytes."
    )
    max_body_bytes: int = Field(
        default=64 * 1024,
        ge=1024,
        description="The maximum size of a body that is neither an upload nor a batch, in bytes.",
    )
    body_seconds: float = Field(
        default=30,
        gt=0,
        description="How long may be waited for the whole body of a request that is no upload.",
    )
    min_bytes_per_second: int = Field(
        default=1024, ge=1, description="The minimum rate of an upload, and of taking an answer."
    )
    read_timeout_seconds: float = Field(
        default=30,
        gt=0,
        description="How long a client may stall, or be slower than the minimum rate.",
    )
    max_slow_clients: int | None = Field(
        default=None,
        ge=1,
        description="Requests at once whose clients must be waited for; three eighths of the "
        "threads if not set.",
    )

    @property
    def slow_clients(self) -> int:
        """How many requests at once may have clients that must be waited for.

        With those that wait for uploads, which take half of the threads, some are left.
        """
        return self.max_slow_clients or max(2, self.threads * 3 // 8)
