"""What the gateway reads from the environment; its HTTP app and its relay share it."""

from pydantic import Field

from muster.settings import FileSettings


class Settings(FileSettings):
    """The gateway's settings."""

    queries_url: str = Field(default="http://127.0.0.1:8084", description="Where queries answers.")
    dbuploader_url: str = Field(
        default="http://127.0.0.1:8082", description="Where dbuploader answers."
    )
    max_upload_bytes: int = Field(
        default=1024**3,
        ge=0,
        description="The maximum size of an upload, after inflating, in bytes.",
    )
    threads: int = Field(default=64, ge=1, description="Requests that a process works on at once.")
    max_batch_bytes: int = Field(
        default=4 * 1024**2, ge=1, description="The maximum size of a batch of rows, in bytes."
    )
    max_corrections_bytes: int = Field(
        default=4 * 1024**2,
        ge=1,
        description="The maximum size of the page's form of corrected rows, in bytes.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8080",
        description="Where users reach the gateway; with https the session's cookie needs it, too.",
    )
    max_waiters: int | None = Field(
        default=None,
        ge=0,
        description="Requests that may wait for an upload at once; half of the threads if not set.",
    )
    max_waiters_per_user: int = Field(
        default=8, ge=0, description="How many of them may be of one user."
    )
    uploads_per_user: int = Field(
        default=0,
        ge=0,
        description="How many uploads of a user may be not final at once; 0 is no limit.",
    )
    bytes_per_user_a_day: int = Field(
        default=0,
        ge=0,
        description="How many bytes a user may send in a day of UTC, inflated; 0 is no limit.",
    )
    max_queued_seconds: float = Field(
        default=0,
        ge=0,
        allow_inf_nan=False,
        description="How long an upload may have been queued before no more are taken; "
        "0 is no bound.",
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        description="Proxies in front, whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    sweep_after_seconds: float = Field(
        default=3600,
        gt=0,
        description="How old a stored file without an upload must be to be removed.",
    )

    @property
    def store_places(self) -> int:
        """How many requests may be in the store at once: the others never wait for it."""
        return max(1, self.threads * 3 // 4)

    @property
    def waiters(self) -> int:
        """How many requests may wait for an upload at once."""
        return self.threads // 2 if self.max_waiters is None else self.max_waiters
