"""The routes of the queries service."""

from flask import Blueprint, Response, request

from muster.contracts.tables import get_table
from muster.http.tokens import requires
from queries import parameters
from queries.responses import CSV, as_csv, as_json, cached, wanted_type
from queries.rows import InvalidCursor
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
    year, wanted = parameters.year(), wanted_type()
    hires = services().hiring.by_quarter(year)
    if wanted == CSV:
        return cached(as_csv(("department", "job", "Q1", "Q2", "Q3", "Q4"), hires))
    return cached(as_json({"year": year, "rows": [row._asdict() for row in hires]}))


@blueprint.get("/v1/queries/departments-above-mean")
@requires("queries:read")
def departments_above_mean() -> Response:
    """The departments that hired more in a year than the mean, as JSON or CSV."""
    year, wanted = parameters.year(), wanted_type()
    answer = services().hiring.above_mean(year)
    if wanted == CSV:
        return cached(as_csv(("id", "department", "hired"), answer.departments))
    rows = [department._asdict() for department in answer.departments]
    return cached(as_json({"year": year, "mean": answer.mean, "rows": rows}))


@blueprint.get("/v1/tables/<table>/rows")
@requires("queries:read")
def table_rows(table: str) -> Response:
    """A page of a table's rows in the order of their keys."""
    declared, limit = get_table(table), parameters.limit()
    try:
        page = services().rows.read(declared, limit, request.args.get("cursor"))
    except InvalidCursor:
        raise parameters.unprocessable("cursor", "Give the `next` of an earlier page.") from None
    return as_json({"rows": page.rows, "next": page.next})


@blueprint.get("/v1/tables/<table>/rows/<key>")
@requires("queries:read")
def table_row(table: str, key: str) -> Response:
    """One row of a table."""
    declared = get_table(table)
    return as_json(services().rows.find(declared, declared.read_key(key)))
