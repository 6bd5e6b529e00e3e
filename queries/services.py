"""What the views of the queries service call: made once, in `queries/app.py`."""

from dataclasses import dataclass

from flask import current_app

from muster.database import Reads
from muster.http.service import provided
from queries.hiring import Hiring
from queries.rows import TableRows


@dataclass(frozen=True)
class Services:
    """The questions and the rows of tables, over one database."""

    database: Reads
    hiring: Hiring
    rows: TableRows


def services() -> Services:
    """Those of the app that answers this request."""
    return provided(current_app, Services)
