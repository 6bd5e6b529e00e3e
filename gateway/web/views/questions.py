"""The hiring questions, as tables and pictures."""

from flask import Response, request

from gateway.services import services
from gateway.uploads.filenames import as_download
from gateway.uploads.reject_file import defused_csv
from gateway.web.api_client import call, send
from gateway.web.charts import heatmap, row_window
from gateway.web.pages import PageBlueprint, page
from muster.http.tokens import requires

pages = PageBlueprint("questions_pages", __name__)

_ROWS_A_PAGE = 100
_PATH = "/v1/queries/"


@pages.get("/questions")
@requires("queries:read")
def hiring() -> Response:
    """Who hired whom in a year: by quarter, and which departments hired more than the mean."""
    years = call(services().queries, "GET", f"{_PATH}years")["years"]
    year = request.args.get("year") or (str(years[-1]) if years else None)
    if year is None:
        return page("no_hires.html")
    quarters = call(services().queries, "GET", f"{_PATH}hires-by-quarter", query={"year": year})
    above = call(services().queries, "GET", f"{_PATH}departments-above-mean", query={"year": year})
    department = request.args.get("department") or None
    return page(
        "questions.html",
        years=years,
        year=quarters["year"],
        heat=heatmap(quarters["rows"]),
        department=department,
        rows=row_window(quarters["rows"], department, request.args.get("from"), _ROWS_A_PAGE),
        mean=above["mean"],
        above=above["rows"],
    )


@pages.get("/questions/<any('hires-by-quarter', 'departments-above-mean'):question>.csv")
@requires("queries:read")
def download(question: str) -> Response:
    """An answer as CSV, to save and open in a spreadsheet."""
    year = request.args.get("year", "")
    headers = {"Accept": "text/csv"}
    answer = send(
        services().queries, "GET", f"{_PATH}{question}", query={"year": year}, headers=headers
    )
    response = Response(defused_csv(answer.body), mimetype="text/csv")
    response.headers["Content-Disposition"] = as_download(f"{question}-{year}.csv")
    return response
