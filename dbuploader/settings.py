"""The loader's settings, from environment variables `MUSTER_*`."""

from dataclasses import dataclass

from pydantic import Field

from muster.settings import DatabaseSettings, WorkerSettings


@dataclass(frozen=True)
class LoadLimits:
    """What one upload may take of the loader."""

    reject_bytes: int
    seconds: float


class Settings(WorkerSettings, DatabaseSettings):
    """What the loader reads on top of what every service reads."""

    employment_database_url: str = Field(default="", description="The database that uploads go to.")
    max_batch_bytes: int = Field(
        default=4 * 1024**2, ge=1, description="The greatest batch of rows, in bytes."
    )
    stall_seconds: float = Field(
        default=300.0, gt=0, description="A load without progress for so long ends its process."
    )
    max_rejects_bytes: int = Field(
        default=128 * 1024 * 1024,
        ge=0,
        description="How many bytes of rejects are kept of an upload, which fails beyond them.",
    )

    load_seconds: float = Field(
        default=3600.0,
        gt=0,
        description="How long the load of an upload may work, in all its attempts.",
    )

    @property
    def load_limits(self) -> LoadLimits:
        """What one upload may take."""
        return LoadLimits(self.max_rejects_bytes, self.load_seconds)
