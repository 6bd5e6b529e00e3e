"""Foreign keys of checked rows, looked up in the database."""

from collections.abc import Sequence

from sqlalchemy import Connection

from dbuploader.checking import Value
from dbuploader.repository.rows import existing_keys
from muster.rejects import CellError
from muster.tables import ForeignKey, Table

_KEYS_HELD = 100_000


class References:
    """Finds rows that refer to a row that is not there.

    Parents that were found are remembered, up to a bound: nothing deletes them.
    """

    def __init__(self, table: Table) -> None:
        self._foreign_keys = [
            (table.column_names.index(foreign.column), foreign) for foreign in table.foreign_keys
        ]
        self._found: dict[str, set[int]] = {f.parent: set() for f in table.foreign_keys}

    def errors(
        self, connection: Connection, rows: Sequence[Sequence[Value | None]]
    ) -> dict[int, tuple[CellError, ...]]:
        """By its place in `rows`, what is wrong with each row that lacks a parent.

        The values are in the declared order; None, for one that is not known, refers to nothing.
        """
        errors: dict[int, tuple[CellError, ...]] = {}
        for place, foreign in self._foreign_keys:
            keys = {key for row in rows if isinstance(key := row[place], int)}
            missing = self._missing(connection, foreign.parent, keys)
            if not missing:
                continue
            for number, row in enumerate(rows):
                if row[place] in missing:
                    errors[number] = (*errors.get(number, ()), _error(foreign, row[place]))
        return errors

    def _missing(self, connection: Connection, parent: str, keys: set[int]) -> set[int]:
        found = self._found[parent]
        unknown = keys - found
        if not unknown:
            return set()
        there = existing_keys(connection, parent, unknown)
        if len(found) + len(there) > _KEYS_HELD:
            found.clear()
        found |= there
        return unknown - there


def _error(foreign: ForeignKey, key: object) -> CellError:
    message = f"{foreign.parent} has no {key}: load that row first, or correct {foreign.column}"
    return CellError("foreign-key", foreign.column, message)
