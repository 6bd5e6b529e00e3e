"""The journal against the ledger and the tables: keys, former rows, and what follows from them."""

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyroaring import BitMap
from sqlalchemy import Row, select

from dbuploader.arrow import bitmap_of
from dbuploader.db.schema import changes, former_rows
from dbuploader.journal.audit.evidence import (
    Entry,
    Evidence,
    Finding,
    Findings,
    entries,
    former_parts,
    named,
    table_keys,
)
from dbuploader.journal.changes import INSERTED, REMOVED, UNCHANGED, UPDATED, WRITTEN
from muster.contracts.tables import get_table, tables


def check_keys(evidence: Evidence) -> Findings:
    """Of each number, the keys are as many as the change and the ledger count."""
    for entry in entries(evidence.connection):
        yield from _check_parts(entry)
        sizes = {effect: len(entry.keys(effect)) for effect in (*WRITTEN, UNCHANGED)}
        for name, expected in _counted(entry).items():
            if sizes[name] != expected:
                where = f"{entry}, keys of {name} rows"
                yield Finding("keys", where, str(expected), str(sizes[name]))
        if entry.made is not None and entry.decided is not None:
            yield from _check_counts(entry, entry.made, entry.decided, sizes)


def _check_parts(entry: Entry) -> Findings:
    for part in entry.parts:
        span = (part.keys.min(), part.keys.max()) if part.keys else None
        if span != part.span:
            yield Finding("keys", f"{entry}, {part.effect}", f"keys {part.span}", str(span))
        if part.table != entry.table:
            yield Finding("keys", f"{entry}, {part.effect}", entry.table, part.table)


def _counted(entry: Entry) -> dict[str, int]:
    """How many keys there must be, by what was done to their rows."""
    made = entry.made
    if made is None:
        return dict.fromkeys(WRITTEN, 0)
    counted = {effect: int(getattr(made, effect)) for effect in WRITTEN}
    if made.kind == "erasure":
        # It also bars a row that was gone already.
        counted.pop(REMOVED)
    return counted


def _check_counts(
    entry: Entry, made: Row[Any], decided: Row[Any], sizes: dict[str, int]
) -> Findings:
    if made.kind == "upload":
        said = {INSERTED: decided.inserted, UPDATED: decided.updated}
        done = {effect: sizes[effect] for effect in said}
        # A repeat within the file counts as unchanged, and has no key of its own.
        if decided.unchanged < sizes[UNCHANGED]:
            where = f"{entry}, unchanged rows"
            yield Finding("counts", where, str(sizes[UNCHANGED]), str(decided.unchanged))
    elif made.kind == "undo":
        undone = json.loads(decided.undone or "{}")
        said = {"restored": undone.get("restored"), REMOVED: undone.get(REMOVED)}
        done = {"restored": sizes[INSERTED] + sizes[UPDATED], REMOVED: sizes[REMOVED]}
    else:
        return
    for name, rows in said.items():
        if rows != done[name]:
            yield Finding("counts", f"{entry}, {name} rows", str(done[name]), str(rows))


def check_former_rows(evidence: Evidence) -> Findings:
    """Of rows that were updated or removed the former ones are there, and of no others."""
    erased = {name: evidence.erased(name) for name in tables()}
    for entry in entries(evidence.connection):
        made = entry.made
        if made is not None and made.expired_at is None:
            yield from _check_former(evidence, entry, made, erased[made.table_name])
    known = select(changes.c.entry)
    stray = select(former_rows.c.entry).where(former_rows.c.entry.not_in(known)).limit(100)
    for other in sorted(set(evidence.connection.scalars(stray))):
        yield Finding("former rows", f"entry {other}", "a change", "none")


def _check_former(evidence: Evidence, entry: Entry, made: Row[Any], erased: BitMap) -> Findings:
    key = get_table(made.table_name).key
    wanted = BitMap() if made.kind == "erasure" else entry.keys(UPDATED, REMOVED)
    kept, size = BitMap(), 0
    try:
        for part, rows in former_parts(evidence.connection, made.entry):
            keys = bitmap_of(rows.column(key))
            kept |= keys
            size += len(part.content)
            if (part.first_key, part.last_key) != (keys.min(), keys.max()):
                where = f"{entry}, part {part.part}"
                span = f"keys {part.first_key} to {part.last_key}"
                yield Finding("former rows", where, span, f"{keys.min()} to {keys.max()}")
    except (pa.ArrowException, OSError, KeyError) as error:
        yield Finding("former rows", str(entry), "rows", f"what can't be read: {error}")
        return
    if kept - wanted:
        yield Finding("former rows", str(entry), "none of others", f"keys {named(kept - wanted)}")
    if missing := wanted - kept - erased:
        yield Finding("former rows", str(entry), f"keys {named(missing)}", "none of them")
    if size != made.former_bytes:
        yield Finding("former rows", str(entry), f"{made.former_bytes} bytes", str(size))


@dataclass
class _Replayed:
    """The keys of a table by what the changes so far say of them."""

    seen: BitMap = field(default_factory=BitMap)
    there: BitMap = field(default_factory=BitMap)
    base: BitMap = field(default_factory=BitMap)


def check_replay(evidence: Evidence) -> Findings:
    """All changes, one after the other, lead to the rows that are there."""
    replayed = {name: _Replayed() for name in tables()}
    has_base = evidence.has_base()
    for entry in entries(evidence.connection):
        if entry.parts:
            yield from _replay(entry, replayed[entry.table], has_base=has_base)
    for name, after in replayed.items():
        there = table_keys(evidence.connection, get_table(name))
        if gone := after.there - there:
            yield Finding("rows", name, f"rows {named(gone)}", "none of them")
        if back := (there & after.seen) - after.there:
            yield Finding("rows", name, f"no rows {named(back)}, which were removed", "them")
        base = there - after.seen
        if base and not has_base:
            yield Finding("rows", name, "only rows that a change wrote", f"rows {named(base)}")
        if count := len(base | after.base):
            evidence.notes[f"rows of {name} from before the journal"] += count


def _replay(entry: Entry, rows: _Replayed, *, has_base: bool) -> Findings:
    inserted, removed = entry.keys(INSERTED), entry.keys(REMOVED)
    held = entry.keys(UPDATED, REMOVED, UNCHANGED)
    is_erasure = entry.made is not None and entry.made.kind == "erasure"
    if twice := inserted & rows.there:
        yield Finding("rows", str(entry), f"new rows, without {named(twice)}", "them")
    unknown = held - rows.seen
    rows.base |= unknown
    rows.there |= unknown
    if unknown and not has_base and not is_erasure:
        yield Finding("rows", str(entry), f"an insert of rows {named(unknown)} before", "none")
    if not is_erasure and (gone := held - rows.there):
        yield Finding("rows", str(entry), f"rows {named(gone)} there", "that they were removed")
    rows.seen |= inserted | held
    rows.there = (rows.there | inserted) - removed
