"""The tables, to be browsed in the order of their keys, and each row with its history."""

from typing import Any

from flask import Response, g, request, url_for

from gateway.api.uploads import READERS
from gateway.errors import UpstreamUnavailable
from gateway.services import services
from gateway.web.api_client import call
from gateway.web.history import Row, shown_changes
from gateway.web.pages import PageBlueprint, go, page
from muster.contracts.tables import Table, get_table, tables
from muster.http.problems import Problem
from muster.http.tokens import requires

pages = PageBlueprint("tables_pages", __name__)

_ROWS_A_PAGE = 50
_CHANGES_A_PAGE = 20


@pages.get("/tables")
@requires("queries:read")
def all_tables() -> Response:
    """What tables there are, and their columns."""
    return page("tables.html", tables=tables().values())


@pages.get("/tables/<table>")
@requires("queries:read")
def rows(table: str) -> Response:
    """Rows of a table; or the one whose key is asked for, on its page."""
    declared, cursor = get_table(table), request.args.get("cursor")
    if key := request.args.get("key", "").strip():
        return go(url_for("tables_pages.row", table=declared.name, key=declared.read_key(key)))
    query = {"limit": _ROWS_A_PAGE} | ({} if cursor is None else {"cursor": cursor})
    found = call(services().queries, "GET", f"/v1/tables/{declared.name}/rows", query=query)
    return page("table.html", table=declared, rows=found["rows"], next=found["next"], cursor=cursor)


@pages.get("/tables/<table>/<key>")
@requires("queries:read")
def row(table: str, key: str) -> Response:
    """A row as it is now, and what has changed it."""
    declared, cursor = get_table(table), request.args.get("cursor")
    number = declared.read_key(key)
    now = _find_row(declared, number)
    history = _find_history(declared, number, cursor)
    if now is None and history is not None and not history["changes"] and cursor is None:
        detail = f"{declared.title} has no row with the {declared.key} {number}, and had none."
        raise Problem(404, "not-found", "No such row", detail)
    changes = None
    if history is not None:
        # What the row was after the first change of a later page, the page before says.
        newest = now if cursor is None else None
        changes = list(shown_changes(declared, history["changes"], newest))
    return page(
        "row.html",
        table=declared,
        parents={foreign.column: foreign.parent for foreign in declared.foreign_keys},
        key=number,
        row=now,
        changes=changes,
        next=history and history["next"],
        cursor=cursor,
    )


@pages.post("/tables/<table>/<key>/erase")
@requires("rows:erase")
def erase(table: str, key: str) -> Response:
    """Erase a row everywhere, if the form says that it is meant."""
    declared = get_table(table)
    number = declared.read_key(key)
    if request.form.get("sure") != "yes":
        return go(url_for("tables_pages.row", table=declared.name, key=number))
    erased = services().erasures.erase(g.principal, declared, number)
    if not g.principal.may(*READERS):
        return go(url_for("tables_pages.rows", table=declared.name))
    return go(url_for("uploads_pages.one", id=erased.upload.id))


def _find_row(table: Table, key: int) -> Row | None:
    try:
        found: Row = call(services().queries, "GET", f"/v1/tables/{table.name}/rows/{key}")
    except Problem as problem:
        if problem.status != 404:
            raise
        return None
    return found


def _find_history(table: Table, key: int, cursor: str | None) -> dict[str, Any] | None:
    """The page of changes that `cursor` stands for; None while the service is away."""
    query = {"limit": _CHANGES_A_PAGE} | ({} if cursor is None else {"cursor": cursor})
    path = f"/v1/tables/{table.name}/rows/{key}/history"
    try:
        found: dict[str, Any] = call(services().dbuploader, "GET", path, query=query)
    except UpstreamUnavailable:
        return None
    except Problem as problem:
        if problem.status != 503:
            raise
        return None
    return found
