"""What the gateway reads from the environment; its HTTP app and its relay share it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_settings import NoDecode

from muster.contracts.expectations import RowLimit
from muster.contracts.tables import tables
from muster.contracts.uploads import PREVIEW_BYTES, Options
from muster.settings import FileSettings


class TableLimits(BaseModel):
    """What a file may do to a table whose uploader doesn't say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_inserted: RowLimit | None = None
    max_updated: RowLimit | None = None

    def fill(self, options: Options) -> Options:
        """The options, with these limits where they have none."""
        return replace(
            options,
            max_inserted=options.max_inserted or self.max_inserted,
            max_updated=options.max_updated or self.max_updated,
        )


_LIMITS = TypeAdapter(dict[str, TableLimits])


def _limits_by_table(value: Any) -> dict[str, TableLimits]:
    """The limits in a JSON object, one member for each table. Raises ValueError."""
    if not isinstance(value, str):
        return _LIMITS.validate_python(value)
    limits = _LIMITS.validate_json(value or "{}")
    if unknown := limits.keys() - tables().keys():
        known = ", ".join(tables())
        raise ValueError(f"there is no table {', '.join(sorted(unknown))}; the tables are {known}")
    return limits


class Settings(FileSettings):
    """The gateway's settings."""

    queries_url: str = Field(default="http://127.0.0.1:8084", description="Where queries answers.")
    dbuploader_url: str = Field(
        default="http://127.0.0.1:8082", description="Where dbuploader answers."
    )
    notification_url: str = Field(
        default="http://127.0.0.1:8083", description="Where notification answers."
    )
    max_upload_bytes: int = Field(
        default=1024**3,
        ge=0,
        description="The maximum size of an upload, after inflating, in bytes.",
    )
    max_preview_bytes: int = Field(
        default=16 * 1024**2,
        ge=PREVIEW_BYTES,
        description="The maximum size of a file that is previewed, after inflating, in bytes.",
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
    expectations: Annotated[
        Mapping[str, TableLimits], NoDecode, BeforeValidator(_limits_by_table)
    ] = Field(
        default_factory=dict,
        description="What a file may do to a table whose uploader doesn't say, in JSON.",
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

    keep_files_days: int = Field(
        default=0,
        ge=0,
        description="How many days files and rejects are kept after their upload ended; "
        "0 is for ever.",
    )

    @property
    def store_places(self) -> int:
        """How many requests may be in the store at once: the others never wait for it."""
        return max(1, self.threads * 3 // 4)

    @property
    def waiters(self) -> int:
        """How many requests may wait for an upload at once."""
        return self.threads // 2 if self.max_waiters is None else self.max_waiters
