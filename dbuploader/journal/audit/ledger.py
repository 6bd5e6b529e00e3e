"""The ledger by itself: its numbers, its receipts, and that no row of a file is lost in it."""

import json
from typing import Any

from sqlalchemy import Row, func, select

from dbuploader.db.schema import changes, ledger
from dbuploader.journal.audit.evidence import (
    Entry,
    Evidence,
    Finding,
    Findings,
    entries,
    ledger_rows,
)
from dbuploader.journal.receipts import (
    InvalidReceipt,
    decision,
    digest,
    published_keys,
    verification_keys,
    verify,
)

_NOTHING_WRITTEN = ("failed", "cancelled")
_COUNTS = ("inserted", "updated", "unchanged", "rejected", "unprocessed")


def check_numbers(evidence: Evidence) -> Findings:
    """Numbers have no gap, the last is the head's, and each is one entry's."""
    last = 0
    for entry in entries(evidence.connection):
        if entry.number != last + 1:
            yield Finding("numbers", "the journal", f"number {last + 1}", f"{entry.number} next")
        last = entry.number
        yield from _check_entry(evidence, entry)
    head = evidence.head().number
    if head != last:
        yield Finding("numbers", "the head of the journal", f"number {last}", str(head))
    yield from _check_unnumbered(evidence)


def _check_entry(evidence: Evidence, entry: Entry) -> Findings:
    decided, made = entry.decided, entry.made
    if decided is None and made is None:
        yield Finding("numbers", str(entry), "an upload or a change", "only its keys")
    elif decided is None and made is not None and made.kind not in {"batch", "erasure"}:
        yield Finding("numbers", str(entry), "its row in the ledger", "none")
    elif decided is not None:
        change = None if made is None else entry.number
        if made is not None and made.entry != decided.upload_id:
            yield Finding("numbers", str(entry), "a change of the upload", f"one of {made.entry}")
        elif decided.change != change and not _is_erasure(evidence, decided):
            yield Finding("numbers", str(entry), f"change {change}", str(decided.change))


def _is_erasure(evidence: Evidence, decided: Row[Any]) -> bool:
    """Whether its change was made before, on request."""
    made = select(changes.c.entry, changes.c.kind).where(changes.c.number == decided.change)
    row = evidence.connection.execute(made).first()
    return row is not None and (row.entry, row.kind) == (decided.upload_id, "erasure")


def _check_unnumbered(evidence: Evidence) -> Findings:
    """An upload without a number was decided before there were any."""
    first = select(func.min(ledger.c.decided_at)).where(ledger.c.number.is_not(None))
    begun = evidence.connection.scalar(first)
    if begun is None:
        return
    late = select(ledger.c.upload_id).where(ledger.c.number.is_(None), ledger.c.decided_at > begun)
    for upload_id in evidence.connection.scalars(late.limit(100)):
        yield Finding("numbers", f"upload {upload_id}", "a number", "none")


def check_receipts(evidence: Evidence) -> Findings:
    """Each receipt is signed, says what the ledger says, and names the one before it."""
    trusted = evidence.trusted
    keys = verification_keys(published_keys(evidence.connection) if trusted is None else trusted)
    latest = None
    for entry in entries(evidence.connection):
        row = entry.decided
        if row is None:
            continue
        if row.receipt is None:
            if latest is not None:
                yield Finding("receipts", str(entry), "a receipt", "none")
            continue
        try:
            claims = verify(row.receipt, keys)
        except InvalidReceipt as error:
            yield Finding("receipts", str(entry), "a valid receipt", str(error))
        else:
            yield from _check_claims(entry, row, claims, latest)
        latest = digest(row.receipt)
    head = evidence.head().receipt
    if head != latest:
        yield Finding("receipts", "the head of the journal", f"receipt {latest}", str(head))


def _check_claims(
    entry: Entry, row: Row[Any], claims: dict[str, Any], latest: str | None
) -> Findings:
    said = {
        "number": row.number,
        "previous": latest,
        "upload": row.upload_id,
        "table": row.table_name,
        **decision({**row._mapping}),
    }
    for name, value in said.items():
        if claims.get(name) != value:
            where = f"{entry}, {name} in its receipt"
            yield Finding("receipts", where, str(value), str(claims.get(name)))


def check_conservation(evidence: Evidence) -> Findings:
    """However an upload ended, what was read is the sum of what became of it."""
    for row in ledger_rows(evidence.connection):
        where = f"upload {row.upload_id}"
        total = sum(getattr(row, name) for name in _COUNTS)
        if row.rows_read != total:
            yield Finding("conservation", where, f"{row.rows_read} rows, as were read", str(total))
        if row.state in _NOTHING_WRITTEN and row.inserted + row.updated + row.unchanged:
            yield Finding("conservation", f"{where}, {row.state}", "no row loaded", str(total))
        if row.state not in _NOTHING_WRITTEN and row.unprocessed:
            found = f"{row.unprocessed} unprocessed"
            yield Finding("conservation", f"{where}, {row.state}", "every row processed", found)
        if row.undone is not None:
            yield from _check_undone(where, json.loads(row.undone))


def _check_undone(where: str, undone: dict[str, int]) -> Findings:
    written = undone.pop("written")
    if written != sum(undone.values()):
        found = str(sum(undone.values()))
        yield Finding("conservation", where, f"{written} rows, as were written", found)
