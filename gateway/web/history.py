"""The history of a row as the page shows it: each change in words, with what it changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.web.wording import EFFECTS, FORGOTTEN
from muster.contracts.tables import Column, Table

Row = Mapping[str, int | str]


@dataclass(frozen=True)
class ShownCell:
    """A column and its values; None where the row was not there, or where they are not known."""

    column: Column
    before: int | str | None
    after: int | str | None


@dataclass(frozen=True)
class ShownChange:
    """A change of a row: what was done, when, by whom and from where; None what is not known.

    `cells` are those that differ; all, where it is not known how; none where no value is known.
    `forgotten` says why it is no longer known what the row was before.
    """

    what: str
    kind: str
    forgotten: str | None
    at: datetime
    by: str | None
    upload: str | None
    line: int | None
    is_file_removed: bool
    cells: Sequence[ShownCell]


def shown_changes(
    table: Table, changes: Sequence[Mapping[str, Any]], now: Row | None
) -> Iterator[ShownChange]:
    """The changes that the API tells, newest first, after which the row is as `now`."""
    after = now
    for change in changes:
        before: Row | None = change["before"]
        yield ShownChange(
            what=EFFECTS.get((change["kind"], change["effect"]), change["effect"].capitalize()),
            kind=change["kind"],
            forgotten=FORGOTTEN.get(change["forgotten"]),
            at=datetime.fromisoformat(change["at"]),
            by=change["by"],
            upload=change["upload"],
            line=change["line"],
            is_file_removed=change["no_line"] == "removed",
            cells=_cells(table, before, after if change["effect"] != "removed" else None),
        )
        after = before


def _cells(table: Table, before: Row | None, after: Row | None) -> list[ShownCell]:
    if before is None and after is None:
        return []
    before, after = before or {}, after or {}
    cells = [ShownCell(each, before.get(each.name), after.get(each.name)) for each in table.columns]
    return [each for each in cells if each.before != each.after]
