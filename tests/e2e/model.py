"""What the tables must hold, and each upload must count, worked out with none of the suite's code.

Only for files as `workload` makes them: blank cells, unknown parents and repeated keys are the only
mistakes in them.
"""

from collections import Counter
from dataclasses import dataclass, field

from embedded.client import Client, Json
from embedded.demo.expected import COLUMNS
from tests.e2e.workload import Record, UploadFile

Rows = dict[int, Record]


@dataclass
class _Checked:
    read: int
    good: Rows = field(default_factory=dict)
    repeats: int = 0
    rejected: int = 0


class Model:
    """The three tables as uploads fill them, one after the other."""

    def __init__(self) -> None:
        self._tables: dict[str, Rows] = {table: {} for table in COLUMNS}

    def load(self, file: UploadFile) -> tuple[str, Json]:
        """Load the file; returns the state it must end in and the counts of its rows."""
        checked = self._check(file)
        if checked.rejected > int(file.options.get("max_rejects", checked.rejected)):
            unprocessed = checked.read - checked.rejected
            return "failed", _counts(checked, unprocessed=unprocessed)
        counts = self._merge_counts(file.table, checked)
        if file.options.get("dry_run"):
            return "validated", counts
        self._tables[file.table] |= checked.good
        return "completed_with_rejects" if checked.rejected else "completed", counts

    def _check(self, file: UploadFile) -> _Checked:
        checked = _Checked(len(file.records))
        for record in file.records:
            first = checked.good.get(int(record[0])) if record[0] else None
            if not self._is_good(file, record) or first not in (None, record):
                checked.rejected += 1
            elif first == record:
                checked.repeats += 1
            else:
                checked.good[int(record[0])] = record
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
        known = {id_: record for id_, record in checked.good.items() if id_ in before}
        updated = sum(before[id_] != record for id_, record in known.items())
        return _counts(
            checked,
            inserted=len(checked.good) - len(known),
            updated=updated,
            unchanged=len(known) - updated + checked.repeats,
        )

    def rows(self, table: str) -> list[Record]:
        """What the table must hold, in the order of its key."""
        return sorted(self._tables[table].values(), key=lambda record: int(record[0]))

    def assert_held_by(self, admin: Client) -> None:
        """Fail unless the suite serves exactly these tables, and answers for them."""
        for table, columns in COLUMNS.items():
            served = [tuple(str(row[column]) for column in columns) for row in admin.rows(table)]
            assert served == self.rows(table)
        answer = admin.query("departments-above-mean", 2021)
        hired = Counter(int(hire[3]) for hire in self._tables["hired_employees"].values())
        mean = hired.total() / len(self._tables["departments"])
        assert round(answer["mean"], 6) == round(mean, 6)
        above = {id_: count for id_, count in hired.items() if count > mean}
        assert {row["id"]: row["hired"] for row in answer["rows"]} == above


def _counts(checked: _Checked, **counts: int) -> Json:
    names = ("inserted", "updated", "unchanged", "unprocessed")
    others = {name: counts.get(name, 0) for name in names}
    return {"read": checked.read, "rejected": checked.rejected, **others}
