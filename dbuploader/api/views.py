"""The route for batches of rows."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, g, jsonify, request

from dbuploader.api.request import read_dates, read_rows
from dbuploader.batches.idempotency import BatchKey
from dbuploader.journal.changes import Author
from dbuploader.services import services
from muster.contracts.tables import get_table
from muster.http.problems import Problem
from muster.http.tokens import requires

blueprint = Blueprint("dbuploader", __name__)

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


@blueprint.post("/v1/tables/<table>/rows")
@requires("rows:write")
def merge_rows(table: str) -> Response:
    """Write 1 to 1000 rows, all or nothing."""
    declared = get_table(table)
    body = _json_body()
    author = Author(uuid4().hex, "batch", g.principal.id, g.principal.email)
    key = _idempotency_key(table, body)
    answer = services().batches.merge(declared, read_rows(body), key, author)
    headers = {"Idempotent-Replayed": "true"} if answer.is_replay else {}
    if answer.status == 422:
        raise _rows_rejected(answer.content, headers)
    response = jsonify(answer.content)
    response.headers.update(headers)
    return response


@blueprint.post("/v1/tables/<table>/check")
@requires("rows:write", "uploads:write")
def check_rows(table: str) -> Response:
    """Check 1 to 1000 rows, and write none."""
    declared = get_table(table)
    dates, may_name = read_dates(request.args), g.principal.may("queries:read")
    checked = services().batches.check(declared, read_rows(_json_body()), dates, may_name=may_name)
    return jsonify(asdict(checked))


def _json_body() -> bytes:
    if not request.is_json:
        raise Problem("unsupported-media-type", "Send application/json.")
    return request.get_data(cache=False)


def _rows_rejected(content: Any, headers: Mapping[str, str]) -> Problem:
    # An answer that a former version kept is the list of all errors.
    if isinstance(content, list):
        content = {"errors": content, "errors_total": len(content)}
    errors, total = content["errors"], content["errors_total"]
    detail = "Nothing was written. Correct the rows and send all of them again."
    if not errors:
        detail += " What was wrong is no longer kept, as a row was erased since."
    elif len(errors) < total:
        detail += f" These are {len(errors)} of {total} errors (MUSTER_MAX_BATCH_ERRORS)."
    return Problem("rows-rejected", detail, errors=errors, headers=headers, errors_total=total)


def _idempotency_key(table: str, body: bytes) -> BatchKey | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        detail = "An Idempotency-Key has 1 to 255 printable ASCII characters."
        raise Problem("idempotency-key-invalid", detail)
    fingerprint = hashlib.sha256(table.encode() + b"\n" + body).hexdigest()
    return BatchKey(g.principal.id, key, fingerprint)
