"""`python -m dbuploader.journal.audit`: proves again that all adds up, or says what does not.

It only reads, and may run while everything else does. It ends with 0 if all adds up, 1 if not, and
2 if it could not be seen.
"""

from muster import startup  # noqa: F401

# isort: split
import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from dbuploader.db import check_schema
from dbuploader.settings import Settings
from muster.adapters import ConfigurationError
from muster.database import Database, open_database
from muster.stores import Stores, open_stores
from muster.weather import Unavailable

if TYPE_CHECKING:
    from dbuploader.journal.audit.evidence import Evidence, Finding

_ADDS_UP, _DOES_NOT, _NOT_SEEN = 0, 1, 2


def audit(evidence: "Evidence") -> Iterator["Finding"]:
    """Whatever does not add up, check by check. Raises Unavailable."""
    from dbuploader.journal.audit import journal, ledger, records, tables, values

    checks = (
        ledger.check_numbers,
        ledger.check_receipts,
        ledger.check_conservation,
        journal.check_keys,
        journal.check_former_rows,
        journal.check_replay,
        tables.check_foreign_keys,
        tables.check_summary,
        records.check_records,
        records.check_files,
        values.check_values,
    )
    return chain.from_iterable(_readable(check, evidence) for check in checks)


def _readable(
    check: Callable[["Evidence"], Iterator["Finding"]], evidence: "Evidence"
) -> Iterator["Finding"]:
    """What the check finds; that something can't be read is a finding, too."""
    from dbuploader.journal.audit.evidence import Finding

    try:
        yield from check(evidence)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        yield Finding(name, "what is stored", "what can be read", repr(error))


def main(arguments: list[str] | None = None) -> int:
    """Audit what the settings name; returns the status to exit with."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings()
        trusted = None if options.keys is None else json.loads(options.keys.read_text())["keys"]
        with (
            closing(open_stores(settings.csv_store_url, settings.file_store_url)) as stores,
            closing(_open_database(settings)) as database,
        ):
            check_schema(database)
            return _run(database, stores, trusted, None if options.all else 1)
    except (ConfigurationError, Unavailable, OSError, ValueError, LookupError) as error:
        print(f"audit: not everything could be seen: {error!r}", file=sys.stderr)
        return _NOT_SEEN


def _run(
    database: Database, stores: Stores, trusted: list[dict[str, str]] | None, most: int | None
) -> int:
    # Imports pyarrow, which must come after the database's driver: see dbuploader/consumer.py.
    from dbuploader.journal.audit.evidence import Evidence

    found, remedies = 0, dict[str, None]()
    with database.read() as connection:
        evidence = Evidence(connection, database, stores, trusted=trusted)
        for finding in islice(audit(evidence), most):
            found += 1
            print(finding)
            remedies |= {finding.remedy: None}
        if found:
            for remedy in filter(None, remedies):
                print(remedy)
            return _DOES_NOT
        print(f"Everything adds up, up to number {evidence.head().number}.")
        for note, count in sorted(evidence.notes.items()):
            print(f"Not seen: {count} {note}.")
    return _ADDS_UP


def _open_database(settings: Settings) -> Database:
    url, allowed = settings.employment_database_url, settings.allow_multi_primary
    return open_database(url, allow_multi_primary=allowed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dbuploader.journal.audit",
        description="Prove again that ledger, journal, records, files and tables add up.",
    )
    parser.add_argument("--all", action="store_true", help="list all that does not, not the first")
    parser.add_argument(
        "--keys", type=Path, help="a kept copy of /.well-known/receipts.json: trust no other key"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
