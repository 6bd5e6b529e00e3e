"""The routes of an erasure: whether a row can be erased, and what of it is done at once."""

from dataclasses import dataclass

from flask import Blueprint, Response, g, request
from pydantic import TypeAdapter

from dbuploader.journal.erasure import Erasure
from dbuploader.services import services
from muster.contracts.strict_json import Unreadable, read_json
from muster.contracts.tables import get_table
from muster.http.problems import Problem
from muster.http.tokens import requires

blueprint = Blueprint("erasure", __name__)


@dataclass(frozen=True)
class Order:
    """The upload of kind `erasure` that the gateway has accepted, and its place in the order."""

    upload: str
    sequence: int


_ORDER = TypeAdapter(Order)


@blueprint.get("/v1/tables/<table>/rows/<key>/erasure")
@requires("rows:erase")
def check_erasure(table: str, key: str) -> Response:
    """204 if the row can be erased."""
    declared = get_table(table)
    services().erasures.check(declared, declared.read_key(key))
    return Response(status=204)


@blueprint.put("/v1/tables/<table>/rows/<key>/erasure")
@requires("rows:erase")
def erase_row(table: str, key: str) -> Response:
    """204 once the row is in neither table, journal nor answers; the same when it was before."""
    declared = get_table(table)
    try:
        order = read_json(_ORDER, request.get_data(cache=False))
    except Unreadable as error:
        raise Problem("invalid-request", str(error)) from None
    who = g.principal
    services().erasures.erase(
        Erasure(declared, declared.read_key(key), order.upload, order.sequence, who.id, who.email)
    )
    return Response(status=204)
