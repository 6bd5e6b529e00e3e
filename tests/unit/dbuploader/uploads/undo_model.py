"""What undo means, in plain dicts: three tables, what was done to each row, and taking it back.

It keeps no bitmaps and no parts: for each row it goes through the list of all that touched it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = tuple[Any, ...]
DEPARTMENTS, JOBS, HIRES = "departments", "jobs", "hired_employees"
PARENTS: Mapping[str, Mapping[str, int]] = {
    DEPARTMENTS: {},
    JOBS: {},
    HIRES: {DEPARTMENTS: 3, JOBS: 4},
}
"""Of each table the tables that its rows refer to, and the place of the column."""


@dataclass
class Touch:
    """What a number did to one row, and what that was before; None where it was not there."""

    number: int
    kind: str
    undoes: int | None
    before: Row | None


@dataclass
class Decided:
    """How an upload or a batch ended."""

    number: int | None
    state: str
    written: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    left: list[tuple[int, str, int | None]] = field(default_factory=list)
    code: str | None = None
    holders: list[tuple[int | None, str | None, int]] = field(default_factory=list)


@dataclass
class _Entry:
    """What is known of a number: who was decided under it, and what it held unchanged."""

    number: int
    entry: str
    kind: str
    table: str
    undoes: int | None = None
    written: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)


class Model:
    """The tables, and the journal of what was done to them."""

    def __init__(self, number: int) -> None:
        """The journal's latest `number` was given before."""
        self.tables: dict[str, dict[int, Row]] = {DEPARTMENTS: {}, JOBS: {}, HIRES: {}}
        self._number = number
        self._touches: dict[tuple[str, int], list[Touch]] = {}
        self._entries: list[_Entry] = []

    def load(self, entry: str, table: str, rows: list[Row], *, dry_run: bool) -> Decided:
        """An upload of these rows, whose keys are distinct."""
        good = [row for row in rows if not self._lacks(table, row)]
        counts = self._counts(table, good)
        counts |= {"read": len(rows), "rejected": len(rows) - len(good)}
        made = self._enter(entry, "upload", table)
        if not dry_run:
            self._merge(made, good)
        done = "completed_with_rejects" if counts["rejected"] else "completed"
        state = "validated" if dry_run else done
        return Decided(made.number, state, bool(made.written), counts)

    def batch(self, entry: str, table: str, rows: list[Row]) -> Decided:
        """A batch of these rows: all or none."""
        if any(self._lacks(table, row) for row in rows):
            return Decided(None, "rejected")
        made = self._enter(entry, "batch", table)
        self._merge(made, rows)
        return Decided(made.number, "accepted", bool(made.written))

    def undo(
        self, entry: str, undoes: str, table: str, *, everything: bool, dry_run: bool
    ) -> Decided:
        """An undo of that upload."""
        made = self._enter(entry, "undo", table)
        undone = next((each for each in self._entries if each.entry == undoes), None)
        if undone is None or not undone.written:
            return Decided(made.number, "failed", code="nothing-to-undo")
        since = {key: self._since(table, key, undone.number) for key in undone.written}
        if all(any(t.undoes == undone.number for t in touches) for touches in since.values()):
            return Decided(made.number, "failed", code="already-undone")
        left, back = self._sort(undone, since)
        blocked = [key for key, code, _ in left if code == "blocked"]
        if everything and left:
            return Decided(made.number, "failed", left=left, code="undo-blocked")
        counts = {
            "written": len(undone.written),
            "restored": len([row for row in back.values() if row is not None]),
            "removed": len([row for row in back.values() if row is None]),
            "kept": len(left) - len(blocked),
            "blocked": len(blocked),
        }
        holders = self._holders(undone, back)
        if dry_run:
            return Decided(made.number, "validated", False, counts, left, holders=holders)
        made.undoes = undone.number
        for key, row in back.items():
            self._write(made, key, row)
        state = "completed_with_rejects" if left else "completed"
        return Decided(made.number, state, bool(made.written), counts, left, holders=holders)

    def undone_by(self, entry: str) -> str | None:
        """Which upload has taken back that one, and is not taken back itself."""
        mine = next((each for each in self._entries if each.entry == entry), None)
        if mine is None or not mine.written:
            return None
        for each in reversed(self._entries):
            if each.undoes == mine.number and each.written and self.undone_by(each.entry) is None:
                return each.entry
        return None

    def _sort(
        self, undone: _Entry, since: Mapping[int, list[Touch]]
    ) -> tuple[list[tuple[int, str, int | None]], dict[int, Row | None]]:
        """The rows that are left, and what the others are to be."""
        left: list[tuple[int, str, int | None]] = []
        back: dict[int, Row | None] = {}
        for key in sorted(undone.written):
            if since[key]:
                left.append((key, "kept", since[key][-1].number))
                continue
            before = self._touch(undone.table, key, undone.number).before
            is_lacking = before is not None and self._lacks(undone.table, before)
            if is_lacking or (before is None and self._is_referred(undone.table, key)):
                left.append((key, "blocked", None))
            else:
                back[key] = before
        return left, back

    def _since(self, table: str, key: int, number: int) -> list[Touch]:
        """What has touched the row since, the latest last, but for what is undone.

        An undo takes away what it undoes; an undo of that puts it back.
        """
        live: list[Touch] = []
        # What each has put there, or taken away.
        moved: dict[int | None, tuple[Touch, bool]] = {}
        for touch in self._touches[table, key]:
            if touch.number <= number:
                continue
            which, is_there = moved.get(touch.undoes, (touch, False))
            if is_there:
                assert live.pop() is which
            else:
                live.append(which)
            moved[touch.number] = which, not is_there
        return live

    def _touch(self, table: str, key: int, number: int) -> Touch:
        (touch,) = [each for each in self._touches[table, key] if each.number == number]
        return touch

    def _holders(
        self, undone: _Entry, back: Mapping[int, Row | None]
    ) -> list[tuple[int | None, str | None, int]]:
        found = [
            (each, len(each.held & back.keys()))
            for each in reversed(self._entries)
            if each.table == undone.table and each.number > undone.number
        ]
        ordered = sorted([pair for pair in found if pair[1]], key=lambda pair: -pair[1])
        return [
            (
                each.number if each.written else None,
                None if each.kind == "batch" else each.entry,
                rows,
            )
            for each, rows in ordered
        ]

    def _enter(self, entry: str, kind: str, table: str) -> _Entry:
        self._number += 1
        self._entries.append(_Entry(self._number, entry, kind, table))
        return self._entries[-1]

    def _counts(self, table: str, rows: list[Row]) -> dict[str, int]:
        there = self.tables[table]
        inserted = len([row for row in rows if row[0] not in there])
        unchanged = len([row for row in rows if there.get(row[0]) == row])
        updated = len(rows) - inserted - unchanged
        return {"inserted": inserted, "updated": updated, "unchanged": unchanged}

    def _merge(self, made: _Entry, rows: list[Row]) -> None:
        for row in rows:
            if self.tables[made.table].get(row[0]) == row:
                made.held.add(row[0])
            else:
                self._write(made, row[0], row)

    def _write(self, made: _Entry, key: int, row: Row | None) -> None:
        table = self.tables[made.table]
        touch = Touch(made.number, made.kind, made.undoes, table.get(key))
        self._touches.setdefault((made.table, key), []).append(touch)
        made.written.add(key)
        if row is None:
            del table[key]
        else:
            table[key] = row

    def _lacks(self, table: str, row: Row) -> bool:
        parents = PARENTS[table].items()
        return any(row[place] not in self.tables[parent] for parent, place in parents)

    def _is_referred(self, table: str, key: int) -> bool:
        return any(
            row[place] == key
            for child, parents in PARENTS.items()
            for parent, place in parents.items()
            if parent == table
            for row in self.tables[child].values()
        )

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table in the order of their keys."""
        return (row for _, row in sorted(self.tables[table].items()))
