"""What the views of the loader call: made once, in `dbuploader/app.py`."""

from dataclasses import dataclass

from flask import current_app

from dbuploader.batches.merge import Batches
from dbuploader.journal.erasure import Erasures
from dbuploader.journal.history import RowHistory
from dbuploader.journal.origin import LineFinder
from dbuploader.preview.previews import Previews
from muster.database import Database
from muster.http.service import provided


@dataclass(frozen=True)
class Limits:
    """The maximum sizes of bodies, in bytes; all others have the server's limit."""

    preview_bytes: int


@dataclass(frozen=True)
class Services:
    """Batches, the history of rows and erasures, over the employment database and the CSV store.

    And previews, over nothing.
    """

    database: Database
    batches: Batches
    history: RowHistory
    lines: LineFinder
    erasures: Erasures
    previews: Previews
    limits: Limits


def services() -> Services:
    """Those of the app that answers this request."""
    return provided(current_app, Services)
