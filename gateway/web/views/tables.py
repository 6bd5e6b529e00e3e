"""The tables, to be browsed in the order of their keys."""

from flask import Response, request

from gateway.services import services
from gateway.web.api_client import call
from gateway.web.pages import PageBlueprint, page
from muster.contracts.tables import get_table, tables
from muster.http.tokens import requires

pages = PageBlueprint("tables_pages", __name__)

_ROWS_A_PAGE = 50


@pages.get("/tables")
@requires("queries:read")
def all_tables() -> Response:
    """What tables there are, and their columns."""
    return page("tables.html", tables=tables().values())


@pages.get("/tables/<table>")
@requires("queries:read")
def rows(table: str) -> Response:
    """Rows of a table."""
    declared, cursor = get_table(table), request.args.get("cursor")
    query = {"limit": _ROWS_A_PAGE} | ({} if cursor is None else {"cursor": cursor})
    found = call(services().queries, "GET", f"/v1/tables/{declared.name}/rows", query=query)
    return page("table.html", table=declared, rows=found["rows"], next=found["next"], cursor=cursor)
