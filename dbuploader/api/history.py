"""The route for the history of a row."""

from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from dbuploader.api.request import read_cursor, read_limit
from dbuploader.journal.changes import REMOVED
from dbuploader.journal.history import RowChange, as_json
from dbuploader.journal.origin import NoLine
from dbuploader.services import services
from muster.contracts.tables import Table, get_table
from muster.http.paging import with_next
from muster.http.tokens import Principal, requires

blueprint = Blueprint("history", __name__)


@blueprint.get("/v1/tables/<table>/rows/<key>/history")
@requires("queries:read")
def row_history(table: str, key: str) -> Response:
    """The changes that wrote a row, newest first."""
    declared = get_table(table)
    row = declared.read_key(key)
    limit, cursor = read_limit(request.args), read_cursor(request.args)
    page = services().history.read(declared, row, limit, cursor)
    files = [each.entry for each in page.changes if _has_line(each) and _sees(g.principal, each)]
    lines = services().lines.find_each(declared, row, files)
    changes = [
        _represent(g.principal, declared, each, lines.get(each.entry)) for each in page.changes
    ]
    following = None if page.next is None else str(page.next)
    return with_next(jsonify(changes=changes, next=following), following)


def _has_line(change: RowChange) -> bool:
    return change.kind == "upload" and change.effect != REMOVED


def _sees(who: Principal, change: RowChange) -> bool:
    return change.owner == who.id or who.may("uploads:admin")


def _represent(
    who: Principal, table: Table, change: RowChange, line: int | NoLine | None
) -> dict[str, Any]:
    """The change as JSON takes it: whose it is, and from where, only to who may see it."""
    sees = _sees(who, change)
    is_found = isinstance(line, int)
    return {
        "change": change.number,
        "kind": change.kind,
        "effect": change.effect,
        "upload": change.entry if sees and change.kind != "batch" else None,
        "at": f"{change.at.isoformat()}Z",
        "by": change.made_by if sees else None,
        "line": line if is_found else None,
        "no_line": None if is_found else line,
        "before": None if change.before is None else as_json(table, change.before),
        "forgotten": change.forgotten,
    }
