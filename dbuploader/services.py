"""What the views of the loader call: made once, in `dbuploader/app.py`."""

from dataclasses import dataclass

from flask import current_app

from dbuploader.batches.merge import Batches
from muster.database import Database
from muster.http.service import provided


@dataclass(frozen=True)
class Services:
    """The batches, over the employment database."""

    database: Database
    batches: Batches


def services() -> Services:
    """Those of the app that answers this request."""
    return provided(current_app, Services)
