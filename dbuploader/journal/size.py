"""How much room the journal takes in the employment database, beside all else there."""

import time
from collections.abc import Callable, Mapping

import structlog
from prometheus_client import Gauge

from dbuploader.db.schema import changed_keys, changes, erased_rows, former_rows, ledger
from muster.database import Database, DatabaseUnavailable

log = structlog.get_logger(__name__)

EMPLOYMENT_BYTES = Gauge(
    "muster_employment_bytes", "Bytes that the employment database takes on the disk.", ("part",)
)

_MEASURE_SECONDS = 60.0
_JOURNAL = frozenset(
    table.name for table in (changes, changed_keys, former_rows, erased_rows, ledger)
)


class SizeMeter:
    """Sets the gauge, at most once a minute."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._due = clock()

    def run_if_due(self) -> None:
        """Measure, if that was not done just now; raises nothing while the database is away."""
        if self._clock() < self._due:
            return
        self._due = self._clock() + _MEASURE_SECONDS
        try:
            sizes = self._database.sizes()
        except DatabaseUnavailable as error:
            log.warning("the size of the journal is not known", error=str(error))
            EMPLOYMENT_BYTES.clear()
            return
        for part, size in _by_part(sizes).items():
            EMPLOYMENT_BYTES.labels(part).set(size)


def _by_part(sizes: Mapping[str, int]) -> Mapping[str, int]:
    if "" in sizes:
        return {"all": sizes[""]}
    journal = sum(size for name, size in sizes.items() if name in _JOURNAL)
    return {"journal": journal, "tables": sum(sizes.values()) - journal}
