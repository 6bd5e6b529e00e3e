"""What the server knows of the tables for its plans: counted again once enough rows have changed.

The server itself does not: see the migration 0002.
"""

from collections import Counter

from muster.contracts.tables import Table
from muster.database import Database

_ROWS = 10_000


class Statistics:
    """Of all tables, by what this process writes to them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed: Counter[str] = Counter()

    def changed(self, table: Table, rows: int) -> None:
        """So many rows more were inserted or updated, and committed."""
        self._changed[table.name] += rows

    def refresh(self) -> None:
        """Have the tables counted again that changed enough; waits for seconds at most."""
        for table, rows in list(self._changed.items()):
            if rows >= _ROWS:
                self._changed[table] = 0
                self._database.analyze(table)
