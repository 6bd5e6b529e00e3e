"""The route of previews: what the beginning of a file looks like, before it is sent."""

from dataclasses import asdict
from io import BytesIO

from flask import Blueprint, Response, jsonify, request
from pydantic import TypeAdapter

from dbuploader.api.request import InvalidParameter
from dbuploader.services import services
from dbuploader.workbooks.content import Wanted
from muster.contracts.strict_json import Unreadable, read_json
from muster.contracts.tables import get_table
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.uploads import Options
from muster.http.tokens import requires

blueprint = Blueprint("preview", __name__)

_OPTIONS = TypeAdapter(Options)


@blueprint.post("/v1/tables/<table>/preview")
@requires("uploads:write")
def preview_file(table: str) -> Response:
    """The preview of the file in the body, as the gateway has taken it from a user's request."""
    request.max_content_length = services().limits.preview_bytes
    wanted = Wanted(get_table(table), _options(), _flag("workbook"))
    try:
        parse_columns(wanted.options.columns, wanted.table)
    except ValueError as error:
        raise InvalidParameter("columns", str(error)) from error
    file = BytesIO(request.get_data(cache=False))
    return jsonify(asdict(services().previews.make(file, wanted, is_cut=_flag("cut"))))


def _options() -> Options:
    try:
        return read_json(_OPTIONS, request.args.get("options", "{}").encode())
    except Unreadable as error:
        raise InvalidParameter("options", str(error)) from error


def _flag(name: str) -> bool:
    return request.args.get(name) == "true"
