"""What the tables hold: ask, tables."""

import csv
import io
import sys

import click

from muster_client.command.exits import DONE
from muster_client.command.output import show_table
from muster_client.command.session import Session, with_session
from muster_client.models import Document

_QUESTIONS = ("hires-by-quarter", "departments-above-mean")


@click.command()
@click.argument("question", type=click.Choice(_QUESTIONS))
@click.argument("year", type=click.IntRange(1000, 9999))
@with_session
def ask(session: Session, question: str, year: int) -> int:
    """Ask a question about a year.

    On a terminal the answer is a table, in a pipe CSV.
    """
    with session.client() as client:
        if session.output.as_json:
            session.output.show(Document(client.ask(question, year)), "")
            return DONE
        answer = client.ask_csv(question, year)
    if sys.stdout.isatty():
        columns, *rows = csv.reader(io.StringIO(answer, newline=""))
        show_table(columns, rows)
    else:
        sys.stdout.buffer.write(answer.encode())
    return DONE


@click.command()
@with_session
def tables(session: Session) -> int:
    """List the tables, their columns, and what they refer to."""
    with session.client() as client:
        session.output.show_all(client.tables(), ("name", "columns", "parents"))
    return DONE


COMMANDS = (ask, tables)
