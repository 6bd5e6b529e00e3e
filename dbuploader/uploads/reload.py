"""`python -m dbuploader.uploads.reload`: loads again what a restored database lacks.

An employment database that comes from an older backup than the records does not know how the
latest uploads were decided, and has not their rows. What wrote rows, undos and erasures included,
is queued again, under its old number, so that all is loaded in the order of its acceptance; what
wrote none is entered in the ledger as its record says. To be run while no loader does.
"""

from muster import startup  # noqa: F401

# isort: split
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from dbuploader.db import check_schema
from dbuploader.db.schema import ledger
from dbuploader.journal.receipts import ReceiptSigner
from dbuploader.settings import Settings
from dbuploader.uploads.outcome import UploadOutcome
from muster.adapters import ConfigurationError
from muster.backends.signing_key import load_key
from muster.contracts.uploads import State, Upload
from muster.database import Database, open_database
from muster.observability.logs import configure_logging
from muster.settings import read_settings
from muster.uploadstore import UploadStore, open_upload_store
from muster.uploadstore.pages import upload_pages
from muster.weather import Unavailable

if TYPE_CHECKING:
    from dbuploader.uploads.ledger import Ledger

_PAGE = 500
_WROTE = frozenset({State.COMPLETED, State.COMPLETED_WITH_REJECTS})
# What was done to its file stays done, and its email is sent again.
_KEPT = {"files_removed"}


@dataclass
class Reloaded:
    """How many uploads are to be loaded again, how many were entered, and whose file is gone."""

    queued: int = 0
    entered: int = 0
    without_file: int = 0


def reload(database: Database, uploads: UploadStore, decided: "Ledger") -> Reloaded:
    """Queue or enter whatever is final in the records and not in the ledger, oldest first.

    Raises Unavailable; then it may simply be run again, before a loader is started.
    """
    done = Reloaded()
    for upload_id in reversed([*_unknown(database, uploads)]):
        upload = uploads.get(upload_id)
        if upload.state not in _WROTE:
            decided.decide(upload, _outcome_in(upload))
            done.entered += 1
            continue
        uploads.update(upload_id, expect={upload.state}, **_as_accepted(upload))
        done.queued += 1
        done.without_file += upload.files_removed is not None
    return done


def _unknown(database: Database, uploads: UploadStore) -> Iterator[str]:
    """The ids of final uploads that have no row in the ledger, newest first."""
    for page in upload_pages(uploads, _PAGE):
        final = [upload.id for upload in page if upload.state.is_final]
        known = select(ledger.c.upload_id).where(ledger.c.upload_id.in_(final))
        with database.read() as connection:
            found = {*connection.scalars(known)}
        yield from (upload_id for upload_id in final if upload_id not in found)


def _as_accepted(upload: Upload) -> dict[str, Any]:
    """What changes in the record, so that it stands as when it was accepted, and not published."""
    accepted = upload.as_accepted()
    changed = {field.name: getattr(accepted, field.name) for field in fields(Upload)}
    before = {field.name: getattr(upload, field.name) for field in fields(Upload)}
    changes = {name: value for name, value in changed.items() if value != before[name]}
    return {
        **{name: value for name, value in changes.items() if name not in _KEPT},
        "published": False,
        "announced": False,
    }


def _outcome_in(upload: Upload) -> UploadOutcome:
    """How the record says that the upload was decided."""
    names = {field.name for field in fields(UploadOutcome)} - {"number", "change"}
    return UploadOutcome(**{name: getattr(upload, name) for name in names})


def main() -> None:
    """Do it, and print how many; exits with a status other than 0 if not all is done."""
    settings = read_settings(Settings, "dbuploader-reload")
    configure_logging("dbuploader-reload", settings.log_level)
    allowed = settings.allow_multi_primary
    try:
        signer = ReceiptSigner(load_key(settings.receipt_key), settings.public_url)
        database = open_database(settings.employment_database_url, allow_multi_primary=allowed)
        with closing(database), closing(open_upload_store(settings.csv_store_url)) as uploads:
            check_schema(database)
            # Imports pyarrow, which must come after the database's driver: dbuploader/consumer.py.
            from dbuploader.uploads.ledger import Ledger

            done = reload(database, uploads, Ledger(database, signer))
    except (ConfigurationError, Unavailable) as error:
        sys.exit(f"Not all is done; run it again before a loader is started. {error!r}")
    print(
        f"queued again: {done.queued}, of which {done.without_file} will fail as their file is no "
        f"longer kept; entered in the ledger: {done.entered}"
    )


if __name__ == "__main__":
    main()
