"""`python -m dbuploader.journal.replay_erasures`: erases again what a restored backup brought back.

Without an argument it prints the tombstones of all erasures, a JSON object a line: which row, when,
by whom, and none of its values. Kept apart from the backups they survive a restore. With the file's
name as argument it accepts an erasure for each row whose tombstone the database lacks: the loader
then erases it from database, files and emails as before.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from json import dumps
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy import and_, select

from dbuploader.db.schema import erased_rows
from dbuploader.settings import Settings
from muster.contracts.strict_json import Unreadable, read_json
from muster.contracts.uploads import Moment, Upload
from muster.database import Database, open_database
from muster.observability.logs import configure_logging
from muster.observability.tracing import current_trace
from muster.settings import read_settings
from muster.uploadstore import UploadStore, open_upload_store
from muster.weather import Unavailable


@dataclass(frozen=True)
class Tombstone:
    """The row `key` of `table` was erased, by the upload `erasure` of the user `by`."""

    table: str
    key: int
    erasure: str
    at: Moment
    by: str


_TOMBSTONE = TypeAdapter(Tombstone)


def tombstones(database: Database) -> Iterator[str]:
    """All tombstones, as lines of JSON. Raises DatabaseUnavailable."""
    columns = erased_rows.c
    with database.read() as connection:
        for row in connection.execute(select(erased_rows).order_by(columns.erased_at)):
            yield dumps(
                {
                    "table": row.table_name,
                    "key": row.row_key,
                    "erasure": row.entry,
                    "at": f"{row.erased_at.isoformat()}Z",
                    "by": row.erased_by,
                }
            )


def replay(lines: Iterable[str], database: Database, uploads: UploadStore) -> int:
    """Accept an erasure for each tombstone that the database lacks; returns how many.

    The relay announces them to the loader. Raises Unreadable before any is accepted, and
    Unavailable; then it may simply be run again.
    """
    told = [read_json(_TOMBSTONE, line.encode()) for line in lines if line.strip()]
    missing = [each for each in told if not _is_there(database, each)]
    for each in missing:
        uploads.accept(_erasure_of(each))
    return len(missing)


def _is_there(database: Database, tombstone: Tombstone) -> bool:
    columns = erased_rows.c
    same = and_(
        columns.table_name == tombstone.table,
        columns.row_key == tombstone.key,
        columns.entry == tombstone.erasure,
    )
    with database.read() as connection:
        return connection.execute(select(columns.entry).where(same)).first() is not None


def _erasure_of(tombstone: Tombstone) -> Upload:
    trace = current_trace()
    return Upload.without_file(
        "erasure",
        tombstone.table,
        f"{tombstone.table} {tombstone.key}",
        erases=tombstone.key,
        # Nobody's own: users with uploads:admin see it.
        owner="replay",
        submitted_by=tombstone.by,
        request_id=trace.request_id,
        traceparent=trace.traceparent,
    )


def main(arguments: list[str]) -> None:
    """Print the tombstones, or replay those of a file; exits with another status than 0 if not."""
    settings = read_settings(Settings, "dbuploader-replay-erasures")
    configure_logging("dbuploader-replay-erasures", settings.log_level)
    allowed = settings.allow_multi_primary
    database = open_database(settings.employment_database_url, allow_multi_primary=allowed)
    with closing(database), closing(open_upload_store(settings.csv_store_url)) as uploads:
        try:
            if not arguments:
                for line in tombstones(database):
                    print(line)
                return
            lines = Path(arguments[0]).read_text("utf-8").splitlines()
            print(f"erasures accepted again: {replay(lines, database, uploads)}")
        except (Unavailable, Unreadable, OSError) as error:
            sys.exit(f"Not all is done; run it again. {error!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
