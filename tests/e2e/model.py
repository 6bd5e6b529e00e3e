"""What the tables must hold, and each upload must count, worked out with none of the suite's code.

Only for files as `workload` makes them: blank cells, unknown parents and repeated keys are the only
mistakes in them.
"""

from collections import Counter
from dataclasses import dataclass, field

from embedded.client import Client, Json
from embedded.demo.expected import COLUMNS
from tests.e2e.workload import Record, UndoOrder, UploadFile
from tests.unit.dbuploader.uploads import undo_model
from tests.unit.dbuploader.uploads.undo_model import Row

Rows = dict[int, Row]


@dataclass
class _Checked:
    read: int
    good: Rows = field(default_factory=dict)
    repeats: int = 0
    rejected: int = 0


class Model:
    """The three tables as uploads fill them, and undos empty them, one after the other."""

    def __init__(self) -> None:
        self._journal = undo_model.Model(0)
        self._tables: dict[str, Rows] = self._journal.tables

    def load(self, file: UploadFile, upload_id: str = "") -> tuple[str, Json]:
        """Load the file; returns the state it must end in and the counts of its rows.

        By the id it can be undone.
        """
        checked = self._check(file)
        if checked.rejected > int(file.options.get("max_rejects", checked.rejected)):
            unprocessed = checked.read - checked.rejected
            return "failed", _counts(checked, unprocessed=unprocessed)
        counts = self._merge_counts(file.table, checked)
        if file.options.get("dry_run"):
            return "validated", counts
        self._journal.load(upload_id, file.table, [*checked.good.values()], dry_run=False)
        return "completed_with_rejects" if checked.rejected else "completed", counts

    def undo(self, order: UndoOrder, upload_id: str) -> tuple[str, Json]:
        """Undo what is ordered; returns the state it must end in and the counts of its rows."""
        undone = self._journal.undo(
            upload_id, order.undoes, order.table, everything=False, dry_run=False
        )
        return undone.state, {**undone.counts}

    def undone_by(self, upload_id: str) -> str | None:
        """The undo that has taken back the upload, and is not taken back itself."""
        return self._journal.undone_by(upload_id)

    def _check(self, file: UploadFile) -> _Checked:
        checked = _Checked(len(file.records))
        for record in file.records:
            row = _row(record)
            first = checked.good.get(int(record[0])) if record[0] else None
            if not self._is_good(file, record) or first not in (None, row):
                checked.rejected += 1
            elif first == row:
                checked.repeats += 1
            else:
                checked.good[int(record[0])] = row
        return checked

    def _is_good(self, file: UploadFile, record: Record) -> bool:
        if "" in record:
            return False
        if file.options.get("mode") == "insert" and int(record[0]) in self._tables[file.table]:
            return False
        parents = zip(("departments", "jobs"), record[3:], strict=False)
        return all(int(id_) in self._tables[parent] for parent, id_ in parents)

    def _merge_counts(self, table: str, checked: _Checked) -> Json:
        before = self._tables[table]
        known = {id_: row for id_, row in checked.good.items() if id_ in before}
        updated = sum(before[id_] != row for id_, row in known.items())
        return _counts(
            checked,
            inserted=len(checked.good) - len(known),
            updated=updated,
            unchanged=len(known) - updated + checked.repeats,
        )

    def rows(self, table: str) -> list[Row]:
        """What the table must hold, in the order of its key."""
        return [*self._journal.rows(table)]

    def assert_held_by(self, admin: Client) -> None:
        """Fail unless the suite serves exactly these tables, and answers for them."""
        for table, columns in COLUMNS.items():
            served = [tuple(row[column] for column in columns) for row in admin.rows(table)]
            assert served == self.rows(table)
        answer = admin.query("departments-above-mean", 2021)
        hired = Counter(hire[3] for hire in self._tables["hired_employees"].values())
        mean = hired.total() / len(self._tables["departments"])
        assert round(answer["mean"], 6) == round(mean, 6)
        above = {id_: count for id_, count in hired.items() if count > mean}
        assert {row["id"]: row["hired"] for row in answer["rows"]} == above


def _row(record: Record) -> Row:
    """The record as the table has it: all but names and datetimes are numbers."""
    return tuple(int(cell) if cell.isdecimal() else cell for cell in record)


def _counts(checked: _Checked, **counts: int) -> Json:
    names = ("inserted", "updated", "unchanged", "unprocessed")
    others = {name: counts.get(name, 0) for name in names}
    return {"read": checked.read, "rejected": checked.rejected, **others}
