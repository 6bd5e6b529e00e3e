"""The page of rejected rows that a request is about."""

from flask import g, request

from gateway.services import services
from gateway.uploads.corrections import RejectsPage, read_page
from muster.contracts.uploads import Upload
from muster.http.problems import Problem

REJECTS_A_PAGE = 50


def rejects_page(id: str) -> tuple[Upload, RejectsPage]:
    """The upload, and its rejected rows from the `from`th on that the request names.

    Raises UploadNotFound, NotFinished, and Problem 422 where `from` is no number.
    """
    first = _number(request.values.get("from"))
    upload, stored = services().records.open_rejects(g.principal, id)
    return upload, read_page(stored, first, REJECTS_A_PAGE)


def _number(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Problem(422, "invalid-request", "Invalid request", "There is no such page.")
    return int(text)
