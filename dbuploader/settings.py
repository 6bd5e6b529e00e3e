"""The loader's settings, from environment variables `MUSTER_*`."""

from pydantic import Field

from muster.settings import DatabaseSettings, WorkerSettings


class Settings(WorkerSettings, DatabaseSettings):
    """What the loader reads on top of what every service reads."""

    employment_database_url: str = Field(default="", description="The database that uploads go to.")
    stall_seconds: float = Field(
        default=300.0, gt=0, description="A load without progress for so long ends its process."
    )
