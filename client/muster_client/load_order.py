"""In which order files are sent: those of a table after those of the tables that it refers to.

Files are loaded in the order in which they were accepted, so that the rows of each find the rows
to which they refer.
"""

import re
from collections.abc import Collection, Iterable
from graphlib import CycleError, TopologicalSorter

from muster_client.errors import TableNotKnown
from muster_client.models import Table

# As `gateway/uploads/filenames.py` reads a name.
_SUFFIXES = re.compile(r"(\.rejects)?(\.(csv|tsv|txt|xls[xmb]?|ods))?(\.gz)?", re.IGNORECASE)


def table_of(filename: str, tables: Iterable[str]) -> str | None:
    """The table that a file is called after, caseless; None if there is none."""
    for table in tables:
        prefix, suffixes = filename[: len(table)], filename[len(table) :]
        if prefix.casefold() == table.casefold() and _SUFFIXES.fullmatch(suffixes):
            return table
    return None


def in_load_order(filenames: Collection[str], tables: Collection[Table]) -> list[str]:
    """The files, parents first, and those of one table as they were given.

    Raises TableNotKnown for a file that is called after no table.
    """
    names = [table.name for table in tables]
    ranks = {name: rank for rank, name in enumerate(_parents_first(tables))}

    def rank(filename: str) -> int:
        table = table_of(filename.rpartition("/")[2], names)
        if table is None:
            raise TableNotKnown(
                f"{filename} is called after no table: name the table. "
                f"The tables are {', '.join(names)}."
            )
        return ranks[table]

    return sorted(filenames, key=rank)


def _parents_first(tables: Collection[Table]) -> list[str]:
    try:
        sorter = TopologicalSorter({table.name: table.parents for table in tables})
        return list(sorter.static_order())
    except CycleError:
        # Tables that refer to each other have no order.
        return [table.name for table in tables]
