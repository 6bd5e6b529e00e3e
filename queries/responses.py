"""Responses in JSON or CSV, as the request asks, which a client can cache and revalidate.

Entity tags and conditional requests per RFC 9110; CSV per RFC 4180.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from flask import Response, request

from muster.http.json_text import json_text

JSON = "application/json"
CSV = "text/csv"
CSV_TYPE = f"{CSV}; charset=utf-8"


def as_json(document: dict[str, Any]) -> Response:
    """200 with `document`, its members in their order."""
    return Response(json_text(document), mimetype=JSON)


def as_csv(header: Sequence[str], rows: Iterable[Sequence[int | str]]) -> Response:
    """200 with `header` and `rows`. Names are given as they are stored, even `=1+1`."""
    return Response(csv_lines([header, *rows]), content_type=CSV_TYPE)


def csv_lines(rows: Iterable[Sequence[int | str]]) -> str:
    """The rows as lines of CSV."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def cached(response: Response) -> Response:
    """`response` with a strong entity tag over its bytes, or 304 if the client has them already.

    Nothing but the bytes makes the tag, so it changes exactly when the answer does.
    """
    response.set_etag(sha256(response.get_data()).hexdigest())
    response.vary.add("Accept")
    response.cache_control.private = True
    response.cache_control.no_cache = True
    response.make_conditional(request)
    return response
