"""The loader's settings, from environment variables `MUSTER_*`."""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from muster.contracts.uploads import PREVIEW_BYTES
from muster.settings import FileSettings, SchemaSettings, SecretUrl


@dataclass(frozen=True)
class LoadLimits:
    """What one upload may take of the loader, and how many may be loaded at once."""

    reject_bytes: int
    seconds: float
    uploads: int = 1
    workbook_bytes: int = 128 * 1024**2


@dataclass(frozen=True)
class BatchLimits:
    """How many errors an answer to a batch lists, and how long it is kept under its key."""

    errors: int
    keep_answers: timedelta


class Settings(FileSettings, SchemaSettings):
    """What the loader reads on top of what every service reads."""

    employment_database_url: SecretUrl = Field(
        default="", description="The database that uploads go to."
    )
    scratch_dir: str = Field(
        default="", description="Where the loader keeps a file's rows while it checks them."
    )
    max_batch_bytes: int = Field(
        default=4 * 1024**2, ge=1, description="The maximum size of a batch of rows, in bytes."
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
    max_workbook_bytes: int = Field(
        default=128 * 1024**2,
        ge=1,
        description="How many bytes a workbook may have unpacked; a larger one fails.",
    )
    max_preview_bytes: int = Field(
        default=16 * 1024**2,
        ge=PREVIEW_BYTES,
        description="The maximum size of a file that is previewed, in bytes.",
    )
    uploads_at_once: int = Field(
        default=64,
        ge=1,
        le=1000,
        description="How many small uploads that wait may be loaded in one transaction.",
    )

    public_url: str = Field(
        default="", description="Where users reach the gateway: receipts name it as their issuer."
    )
    receipt_key_file: Path | None = Field(
        default=None,
        description="The Ed25519 key that signs receipts, as PEM; made at first start if absent. "
        "Default: receipt-key.pem in MUSTER_HOME.",
    )

    @property
    def receipt_key(self) -> Path:
        """Where the key that signs receipts is."""
        return self.receipt_key_file or self.home / "receipt-key.pem"

    @property
    def scratch_root(self) -> Path:
        """Where the loader's folder is made."""
        # Not tempfile's choice: where that is full it takes the next, or the current directory.
        return Path(self.scratch_dir or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108

    @property
    def load_limits(self) -> LoadLimits:
        """What one upload may take."""
        return LoadLimits(
            self.max_rejects_bytes, self.load_seconds, self.uploads_at_once, self.max_workbook_bytes
        )

    max_batch_errors: int = Field(
        default=1000, ge=1, description="How many errors an answer to a batch tells."
    )
    keep_answers_hours: float = Field(
        default=24.0,
        ge=1,
        description="How long the answer to a batch is kept under its idempotency key.",
    )

    @property
    def batch_limits(self) -> BatchLimits:
        """What an answer to a batch may take."""
        return BatchLimits(self.max_batch_errors, timedelta(hours=self.keep_answers_hours))
