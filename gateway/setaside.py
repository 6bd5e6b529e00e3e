"""`python -m gateway.setaside`: shows the upload records that were set aside, or puts them back.

A record that a version can't read is set aside for all of that version (muster.uploadstore), and
what is behind it goes on. A version that can read it takes it up by itself; what was repaired by
hand is put back here.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing

from gateway.settings import Settings
from muster.adapters import ConfigurationError
from muster.contracts.uploads import record_format
from muster.deadletters import aligned, count
from muster.observability.logs import configure_logging
from muster.settings import read_settings
from muster.uploadstore import SetAside, UploadStore, open_upload_store
from muster.weather import StoreUnavailable

_LIMIT = 100


def table(records: Sequence[SetAside]) -> Iterator[str]:
    """Lines, aligned: since when each is set aside, which it is, for which version, and why."""
    return aligned([("SET ASIDE AT", "UPLOAD", "FOR", "REASON"), *map(_row, records)])


def _row(record: SetAside) -> tuple[str, str, str, str]:
    return (
        record.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        record.upload_id or "-",
        "this version" if record.format == record_format() else "another version",
        record.reason,
    )


def _list(uploads: UploadStore, arguments: Namespace) -> None:
    records = uploads.set_aside(arguments.limit)
    if records:
        print(*table(records), sep="\n")
    print(f"set aside for this version: {uploads.count_set_aside()}")


def _put_back(uploads: UploadStore, arguments: Namespace) -> None:
    ids = arguments.upload or [None]
    print(f"put back: {sum(uploads.put_back(upload_id) for upload_id in ids)}")


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m gateway.setaside",
        description="Upload records that can't be read, in the store at MUSTER_CSV_STORE_URL.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="show the oldest; they stay")
    listing.add_argument("--limit", type=count, default=_LIMIT, help="how many (default: 100)")
    listing.set_defaults(command=_list)
    returning = commands.add_parser("put-back", help="have them read again: all, or those named")
    returning.add_argument("upload", nargs="*", metavar="UPLOAD", help="the id of an upload")
    returning.set_defaults(command=_put_back)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says; end with status 1 where that is not possible now."""
    arguments = _parser().parse_args(argv)
    settings = read_settings(Settings, "gateway-setaside")
    configure_logging("gateway-setaside", settings.log_level)
    try:
        with closing(open_upload_store(settings.csv_store_url)) as uploads:
            arguments.command(uploads, arguments)
    except ConfigurationError as error:
        sys.exit(f"MUSTER_CSV_STORE_URL: {error}")
    except StoreUnavailable as error:
        sys.exit(f"The CSV store can't do that now; run it again. {error}")


if __name__ == "__main__":
    main()
