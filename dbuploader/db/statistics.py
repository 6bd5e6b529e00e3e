"""The server's statistics of the tables, for its query plans: refreshed after enough changes.

The server itself does not: see the migration 0002.
"""

from collections import Counter

from muster.contracts.tables import Table
from muster.database import Database

_ROWS = 10_000


class Statistics:
    """Counts what this process writes to each table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed: Counter[str] = Counter()

    def changed(self, table: Table, rows: int) -> None:
        """Count rows that were inserted or updated, and committed."""
        self._changed[table.name] += rows

    def refresh(self) -> None:
        """Analyze the tables that changed enough; takes seconds at most."""
        for table, rows in list(self._changed.items()):
            if rows >= _ROWS:
                self._changed[table] = 0
                self._database.analyze(table)
