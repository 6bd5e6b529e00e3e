"""Files to fill in: for each table one with the line that names its columns."""

from flask import Response

from gateway.uploads.filenames import as_download
from gateway.web.pages import PageBlueprint
from muster.contracts.tables import get_table
from muster.http.tokens import requires

pages = PageBlueprint("templates", __name__)

# A spreadsheet that opens the file takes it for UTF-8 by the mark, and keeps it in that.
_MARK = "\ufeff"


@pages.get("/templates/<table>.csv")
@requires("uploads:write")
def template(table: str) -> Response:
    """The header of a table, as CSV; raises UnknownTable."""
    names = get_table(table).column_names
    response = Response(f"{_MARK}{','.join(names)}\r\n", content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = as_download(f"{table}.csv")
    return response
