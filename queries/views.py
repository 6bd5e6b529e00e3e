"""The routes of the queries service."""

from flask import Blueprint, Response, request

from muster.contracts.tables import get_table
from muster.http.negotiation import wanted_type
from muster.http.paging import with_next
from muster.http.problems import invalid
from muster.http.tokens import requires
from queries import parameters
from queries.responses import CSV, CSV_TYPE, JSON, as_csv, as_json, cached
from queries.rows import InvalidCursor
from queries.selection import Selection
from queries.services import services

blueprint = Blueprint("queries", __name__)


@blueprint.get("/v1/queries/years")
@requires("queries:read")
def years() -> Response:
    """The years that the other questions can be asked about with an answer."""
    return cached(as_json({"years": services().hiring.years()}))


@blueprint.get("/v1/queries/hires-by-quarter")
@requires("queries:read")
def hires_by_quarter() -> Response:
    """Hires of a year by department, job and quarter, as JSON or CSV."""
    year, wanted = parameters.year(), wanted_type(JSON, CSV)
    hires = services().hiring.by_quarter(year)
    if wanted == CSV:
        return cached(as_csv(("department", "job", "Q1", "Q2", "Q3", "Q4"), hires))
    return cached(as_json({"year": year, "rows": [row._asdict() for row in hires]}))


@blueprint.get("/v1/queries/departments-above-mean")
@requires("queries:read")
def departments_above_mean() -> Response:
    """The departments that hired more in a year than the mean, as JSON or CSV."""
    year, wanted = parameters.year(), wanted_type(JSON, CSV)
    answer = services().hiring.above_mean(year)
    if wanted == CSV:
        return cached(as_csv(("id", "department", "hired"), answer.departments))
    rows = [department._asdict() for department in answer.departments]
    return cached(as_json({"year": year, "mean": answer.mean, "rows": rows}))


@blueprint.get("/v1/tables/<table>/rows")
@requires("queries:read")
def table_rows(table: str) -> Response:
    """Rows of a table: a page of them as JSON, or all as CSV, a part at a time."""
    selection, with_names = parameters.selection(get_table(table)), parameters.with_names()
    if wanted_type(JSON, CSV) == CSV:
        return _streamed(selection, with_names=with_names)
    try:
        page = services().rows.read(
            selection, parameters.limit(), request.args.get("cursor"), with_names=with_names
        )
    except InvalidCursor:
        raise invalid(("cursor", "Give the `next` of an earlier page.")) from None
    count = {"count": page.count.rows, "count_capped": page.count.capped}
    names = {"names": page.names} if with_names else {}
    response = as_json({"rows": page.rows, "next": page.next, **count, **names})
    response.vary.add("Accept")
    return with_next(response, page.next)


def _streamed(selection: Selection, *, with_names: bool) -> Response:
    parts = services().rows.stream(selection, with_names=with_names)
    response = Response(parts, content_type=CSV_TYPE)
    response.call_on_close(parts.close)
    response.vary.add("Accept")
    return response


@blueprint.get("/v1/tables/<table>/rows/<key>")
@requires("queries:read")
def table_row(table: str, key: str) -> Response:
    """One row of a table."""
    declared = get_table(table)
    return as_json(services().rows.find(declared, declared.read_key(key)))
