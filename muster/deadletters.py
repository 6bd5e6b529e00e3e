"""`python -m muster.deadletters`: shows the dead letters of a queue, or replays them."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from pydantic import TypeAdapter

from muster.adapters import ConfigurationError
from muster.broker import QUEUES, Broker, BrokerUnavailable, DeadMessage, Unroutable, open_broker
from muster.contracts.strict_json import Unreadable, read_json
from muster.observability.logs import configure_logging
from muster.settings import WorkerSettings, read_settings

_UNKNOWN = "-"
_LIMIT = 100


@dataclass(frozen=True)
class _About:
    upload_id: str = _UNKNOWN


_ABOUT = TypeAdapter(_About)


def table(letters: Sequence[DeadMessage]) -> Iterator[str]:
    """Lines, aligned: when each died, of which upload and request it was, and why it died."""
    return aligned([("DIED AT", "UPLOAD", "REQUEST", "REASON"), *map(_row, letters)])


def _row(letter: DeadMessage) -> tuple[str, str, str, str]:
    return (
        letter.died_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        _upload_id(letter.delivery.body),
        letter.delivery.headers.get("X-Request-Id", _UNKNOWN),
        letter.reason,
    )


def _upload_id(body: bytes) -> str:
    """Of whatever version the message is: that may be why it is here."""
    try:
        return read_json(_ABOUT, body).upload_id
    except Unreadable:
        return _UNKNOWN


def _list(broker: Broker, arguments: Namespace) -> None:
    letters = broker.dead_letters(arguments.queue, arguments.limit)
    if letters:
        print(*table(letters), sep="\n")
    print(f"dead letters: {len(letters)} of {broker.depth(arguments.queue).dead}")


def _replay(broker: Broker, arguments: Namespace) -> None:
    print(f"replayed: {broker.replay_dead_letters(arguments.queue)}")


def count(text: str) -> int:
    """A number from 1, as an argument of a command."""
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise ArgumentTypeError("not a number from 1")
    return int(text)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m muster.deadletters",
        description="Dead letters of the broker at MUSTER_BROKER_URL.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="show the oldest; they stay")
    listing.add_argument("--limit", type=count, default=_LIMIT, help="how many (default: 100)")
    listing.set_defaults(command=_list)
    replaying = commands.add_parser("replay", help="put all of them back at the end of the queue")
    replaying.set_defaults(command=_replay)
    for command in (listing, replaying):
        command.add_argument("queue", choices=sorted(QUEUES), metavar="QUEUE")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says; end with status 1 where that is not possible now."""
    arguments = _parser().parse_args(argv)
    settings = read_settings(WorkerSettings, "deadletters")
    configure_logging("deadletters", settings.log_level)
    try:
        with closing(open_broker(settings.broker_url)) as broker:
            arguments.command(broker, arguments)
    except ConfigurationError as error:
        sys.exit(f"MUSTER_BROKER_URL: {error}")
    except (BrokerUnavailable, Unroutable) as error:
        sys.exit(f"The broker can't do that now; run it again. {error}")


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each row, its cells padded to their columns.

    What isn't printable is replaced: it could begin a line or steer the terminal.
    """
    shown = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


if __name__ == "__main__":
    main()
