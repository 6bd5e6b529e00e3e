"""The tables by themselves: foreign keys, and the summary of hires."""

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap
from sqlalchemy import select

from dbuploader.arrow import bitmap_of
from dbuploader.journal.audit.evidence import (
    Evidence,
    Finding,
    Findings,
    named,
    table_keys,
    table_rows,
)
from dbuploader.merge.summary import SUMMARISED, HiresDifferences
from muster.contracts.tables import ForeignKey, Table, get_table, tables
from muster.contracts.tables.sql import hires_summary


def check_foreign_keys(evidence: Evidence) -> Findings:
    """Each row's parents are there."""
    for child in tables().values():
        parents = {
            foreign.column: table_keys(evidence.connection, get_table(foreign.parent))
            for foreign in child.foreign_keys
        }
        for rows in table_rows(evidence.connection, child) if parents else ():
            for foreign in child.foreign_keys:
                yield from _check_parents(rows, child, foreign, parents[foreign.column])


def _check_parents(
    rows: pa.RecordBatch, child: Table, foreign: ForeignKey, parents: BitMap
) -> Findings:
    column = rows.column(foreign.column)
    if lost := bitmap_of(column) - parents:
        orphans = pc.is_in(column, value_set=pa.array(lost, column.type))
        keys = BitMap(rows.column(child.key).filter(orphans).to_pylist())
        where = f"{child.name} {named(keys)}"
        yield Finding("foreign keys", where, f"{foreign.parent} {named(lost)}", "none")


def check_summary(evidence: Evidence) -> Findings:
    """The summary of hires is what the rows add up to."""
    counted = HiresDifferences()
    for rows in table_rows(evidence.connection, get_table(SUMMARISED)):
        counted.add(rows)
    hired = {tuple(group): count for *group, count in _rows_of(counted.take())}
    for row in evidence.connection.execute(select(hires_summary)):
        *group, count = row
        if (expected := hired.pop(tuple(group), 0)) != count:
            yield _wrong(group, expected, count)
    for missing, expected in hired.items():
        yield _wrong(missing, expected, 0)


def _rows_of(groups: pa.Table) -> list[tuple[int, ...]]:
    return list(zip(*[column.to_pylist() for column in groups.columns], strict=True))


def _wrong(group: object, expected: int, found: int) -> Finding:
    names = ", ".join(column.name for column in hires_summary.primary_key)
    return Finding("summary", f"hires by {names} {group}", str(expected), str(found))
