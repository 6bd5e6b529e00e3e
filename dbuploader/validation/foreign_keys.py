"""Foreign keys, looked up in the database: each distinct value once, not row by row."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from dbuploader.db.lookup import existing_keys
from muster.contracts.rejects import CellError
from muster.contracts.tables import ForeignKey, Table

_KEYS_HELD = 100_000


@dataclass(frozen=True)
class BadKeys:
    """Values that `column` may not have, and the error of a row that has one."""

    column: str
    keys: set[int]
    error: Callable[[int], CellError]


class KnownParents:
    """Keys of parents that were found, up to a limit.

    An undo or an erasure may remove one: whoever writes rows that refer to it is refused then.
    """

    def __init__(self) -> None:
        self._found: dict[str, set[int]] = defaultdict(set)

    def has(self, parent: str, keys: set[int]) -> bool:
        """Whether all of `keys` of the table `parent` are among them."""
        return keys <= self._found[parent]

    def missing(self, connection: Connection, parent: str, keys: set[int]) -> set[int]:
        """Those of `keys` that the table `parent` does not have."""
        found = self._found[parent]
        unknown = keys - found
        if not unknown:
            return set()
        there = existing_keys(connection, parent, unknown)
        if len(found) + len(there) > _KEYS_HELD:
            found.clear()
        found |= there
        return unknown - there


class ForeignKeyChecker:
    """Finds values that refer to a row that does not exist."""

    def __init__(self, table: Table, parents: KnownParents | None = None) -> None:
        self._foreign_keys = table.foreign_keys
        self._parents = parents or KnownParents()

    def knows(self, keys: Mapping[str, set[int]]) -> bool:
        """Whether of `keys`, the values of each column, all are known to have a parent."""
        return all(
            self._parents.has(foreign.parent, keys[foreign.column])
            for foreign in self._foreign_keys
        )

    def missing(self, connection: Connection, keys: Mapping[str, set[int]]) -> list[BadKeys]:
        """Of `keys`, the values of each column, those without a parent."""
        bad = [
            BadKeys(
                foreign.column,
                self._parents.missing(connection, foreign.parent, keys[foreign.column]),
                partial(_error, foreign),
            )
            for foreign in self._foreign_keys
        ]
        return [each for each in bad if each.keys]


def _error(foreign: ForeignKey, key: int) -> CellError:
    message = f"{foreign.parent} has no {key}: load that row first, or correct {foreign.column}"
    return CellError("foreign-key", foreign.column, message)
