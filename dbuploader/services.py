"""What the views of the loader call: made once, in `dbuploader/app.py`."""

from dataclasses import dataclass

from flask import current_app

from dbuploader.batches.merge import Batches
from dbuploader.journal.erasure import Erasures
from dbuploader.journal.history import RowHistory
from dbuploader.journal.origin import LineFinder
from muster.database import Database
from muster.http.service import provided


@dataclass(frozen=True)
class Services:
    """Batches, the history of rows and erasures, over the employment database and the CSV store."""

    database: Database
    batches: Batches
    history: RowHistory
    lines: LineFinder
    erasures: Erasures


def services() -> Services:
    """Those of the app that answers this request."""
    return provided(current_app, Services)
