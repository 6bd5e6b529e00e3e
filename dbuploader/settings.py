"""The loader's settings, from environment variables `MUSTER_*`."""

from pydantic import Field

from muster.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the loader reads on top of what every service reads."""

    broker_url: str = Field(default="", description="Where the queues are.")
    csv_store_url: str = Field(default="", description="Where upload records and files are.")
    employment_database_url: str = Field(default="", description="The database that uploads go to.")
    health_port: int | None = Field(
        default=None, description="The port on which a consumer answers health checks; unset: none."
    )
    stall_seconds: float = Field(
        default=300.0, gt=0, description="A load without progress for so long ends its process."
    )
