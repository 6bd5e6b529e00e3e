"""The tables, to be browsed in the order of their keys, and each row with its history."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, g, request, url_for

from gateway.api.uploads import READERS
from gateway.errors import UpstreamUnavailable
from gateway.proxy.audit import note
from gateway.services import services
from gateway.uploads.filenames import as_download
from gateway.uploads.reject_file import defused_parts
from gateway.web.api_client import call
from gateway.web.history import Row, shown_changes
from gateway.web.pages import PageBlueprint, go, page
from muster.contracts.tables import ForeignKey, Table, get_table, tables
from muster.http.problems import Problem
from muster.http.tokens import requires

pages = PageBlueprint("tables_pages", __name__)

_ROWS_A_PAGE = 50
_CHANGES_A_PAGE = 20
# In a list that is still looked through at a glance.
_MOST_CHOICES = 300


@pages.get("/tables")
@requires("queries:read")
def all_tables() -> Response:
    """What tables there are, and their columns."""
    return page("tables.html", tables=tables().values())


@pages.get("/tables/<table>")
@requires("queries:read")
def rows(table: str) -> Response:
    """Rows of a table that are looked for; or the one whose key is asked for, on its page."""
    declared, cursor = get_table(table), request.args.get("cursor")
    if key := request.args.get("key", "").strip():
        return go(url_for("tables_pages.row", table=declared.name, key=declared.read_key(key)))
    wanted = _wanted(declared)
    query = {**wanted, "limit": _ROWS_A_PAGE, "names": "true"}
    query |= {} if cursor is None else {"cursor": cursor}
    path = f"/v1/tables/{declared.name}/rows"
    found = call(services().queries, "GET", path, query=query)
    return page(
        "table.html",
        table=declared,
        rows=found["rows"],
        next=found["next"],
        names=found.get("names", {}),
        count=found.get("count", 0),
        capped=found.get("count_capped", False),
        cursor=cursor,
        wanted=wanted,
        filtered={name: value for name, value in wanted.items() if name != "sort"},
        parents=[(foreign.column, *_parents(foreign)) for foreign in declared.foreign_keys],
        text=next((each for each in declared.columns if each.type == "string"), None),
    )


@pages.get("/tables/<table>/rows.csv")
@requires("queries:read")
def download(table: str) -> Response:
    """The rows that are shown, and all that follow, as CSV to open in a spreadsheet."""
    declared = get_table(table)
    answer = services().queries.stream(
        f"/v1/tables/{declared.name}/rows",
        query=urlencode({**_wanted(declared), "names": "true"}),
        headers={"Accept": "text/csv", "Authorization": request.headers.get("Authorization", "")},
        client_address=request.remote_addr or "",
    )
    if answer.status != 200:
        answer.close()
        raise UpstreamUnavailable("queries")
    response = Response(defused_parts(answer.chunks), content_type="text/csv; charset=utf-8")
    response.call_on_close(answer.close)
    response.headers["Content-Disposition"] = as_download(f"{declared.name}.csv")
    return response


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
        raise Problem("not-found", detail)
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
    note(services().auth, "erasure", f"{declared.name} {number}")
    erased = services().erasures.erase(g.principal, declared, number)
    if not g.principal.may(*READERS):
        return go(url_for("tables_pages.rows", table=declared.name))
    return go(url_for("uploads_pages.one", id=erased.upload.id))


def _wanted(table: Table) -> dict[str, str]:
    """What the request says of the rows to show: a search, an order, and values of columns."""
    known = ("search", "sort", *table.indexed_names)
    given = {name: request.args.get(name, "").strip() for name in known}
    return {name: value for name, value in given.items() if value}


def _parents(foreign: ForeignKey) -> tuple[Table, list[tuple[int, str]] | None]:
    """The table referred to, and its rows by name to choose from; None if they are too many."""
    parent = get_table(foreign.parent)
    path, query = f"/v1/tables/{parent.name}/rows", {"limit": _MOST_CHOICES + 1}
    found = call(services().queries, "GET", path, query=query)["rows"]
    if len(found) > _MOST_CHOICES:
        return parent, None
    choices = [(row[parent.key], _name_of(parent, row)) for row in found]
    return parent, sorted(choices, key=lambda choice: choice[1].casefold())


def _name_of(table: Table, row: Row) -> str:
    texts = (str(row[each.name]) for each in table.columns if each.type == "string")
    return next(texts, str(row[table.key]))


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
