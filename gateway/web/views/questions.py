"""The hiring questions, as tables and pictures."""

from collections.abc import Sequence
from typing import Any

from flask import Response, request

from gateway.services import services
from gateway.uploads.filenames import as_download
from gateway.uploads.reject_file import defused_csv
from gateway.web.api_client import call, send
from gateway.web.charts import heatmap, row_window, trend
from gateway.web.pages import PageBlueprint, page
from muster.contracts.uploads import now
from muster.http.tokens import requires

pages = PageBlueprint("questions_pages", __name__)

_ROWS_A_PAGE = 100
_YEARS_OF_TREND = 6
_PATH = "/v1/queries/"


@pages.get("/questions")
@requires("queries:read")
def hiring() -> Response:
    """Who hired whom in a year: by quarter, and which departments hired more than the mean."""
    years: list[int] = call(services().queries, "GET", f"{_PATH}years")["years"]
    year = request.args.get("year") or _last_full_year(years)
    if year is None:
        return page("no_hires.html")
    quarters = _hires_of(year)
    above = call(services().queries, "GET", f"{_PATH}departments-above-mean", query={"year": year})
    department = request.args.get("department") or None
    job, first = request.args.get("job", "").strip(), request.args.get("from")
    shown: int = quarters["year"]
    earlier = [each for each in years if each < shown][1 - _YEARS_OF_TREND :]
    return page(
        "questions.html",
        years=years,
        year=shown,
        heat=heatmap(quarters["rows"]),
        trend=trend(
            {each: _hires_of(each)["rows"] for each in earlier} | {shown: quarters["rows"]}
        ),
        department=department,
        job=job,
        rows=row_window(quarters["rows"], department, first, _ROWS_A_PAGE, job),
        mean=above["mean"],
        above=above["rows"],
    )


def _hires_of(year: int | str) -> dict[str, Any]:
    path, query = f"{_PATH}hires-by-quarter", {"year": year}
    answer: dict[str, Any] = call(services().queries, "GET", path, query=query)
    return answer


def _last_full_year(years: Sequence[int]) -> int | None:
    """The last year whose hires are all there, as far as can be told; None without any.

    That is the last one that is over and has hires in its last quarter: what was loaded of another
    ends within it, and its numbers would look like a fall.
    """
    if not years:
        return None
    *earlier, last = years
    ends = last < now().year and any(row["q4"] for row in _hires_of(last)["rows"])
    return last if ends or not earlier else earlier[-1]


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
