"""Files of all three tables to upload, made from a seed: good rows and bad, in every mode."""

import csv
import io
import random
import uuid
from dataclasses import dataclass, field

from embedded.client import Client, Json

Record = tuple[str, ...]

# Few, so that files change each other's rows, and refer to rows that nobody has loaded yet.
_PARENTS = range(1, 61)
_HIRES = range(1, 20_001)
_BLANK_SHARE = 0.01
_KINDS = ("departments", "jobs", "hired_employees", "hired_employees", "hired_employees")
_OPTIONS: tuple[dict[str, str], ...] = (
    *({} for _ in range(7)),
    {"mode": "insert"},
    {"dry_run": "true"},
    {"max_rejects": "0"},
)


@dataclass
class UploadFile:
    """One file, how it is to be loaded, and what the gateway answered.

    `key` is the idempotency key that it is sent with; times are of time.monotonic().
    """

    table: str
    records: list[Record]
    options: dict[str, str]
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    accepted: Json = field(default_factory=dict)
    accepted_at: float = 0.0

    @property
    def name(self) -> str:
        """The file name, which names the table."""
        return f"{self.table}.csv"

    @property
    def content(self) -> bytes:
        """The file as CSV without a header."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows(self.records)
        return text.getvalue().encode()

    def send(self, client: Client) -> Json:
        """Post the file once; returns the upload as accepted."""
        return client.upload(self.name, self.content, key=self.key, **self.options)


@dataclass
class UndoOrder:
    """That the upload of this id, which loaded rows of `table`, is to be undone."""

    undoes: str
    table: str
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    accepted: Json = field(default_factory=dict)

    def send(self, client: Client) -> Json:
        """Ask for it once; returns the undo as accepted."""
        return client.undo(self.undoes, key=self.key)


def make_files(count: int, rows: int, seed: int, hires: range = _HIRES) -> list[UploadFile]:
    """`count` files, those of hires with `rows` records; the first hold parents for the rest.

    The ids of hires are out of `hires`: the fewer there are, the more rows are updates.
    """
    chance = random.Random(seed)
    tables = [*_KINDS[:2], *(chance.choice(_KINDS) for _ in range(count - 2))]
    return [
        UploadFile(
            table,
            _hires(chance, number, hires, rows)
            if table == _KINDS[-1]
            else _parents(chance, table, number),
            {} if number < 2 else chance.choice(_OPTIONS),
        )
        for number, table in enumerate(tables)
    ]


def _parents(chance: random.Random, kind: str, number: int) -> list[Record]:
    ids = chance.sample(_PARENTS, 20)
    # A third keep their names, and so are unchanged where they are there already.
    records: list[Record] = [
        (str(id_), f"{kind} {id_}" if id_ % 3 == 0 else f"{kind} {id_} of file {number} 🐝")
        for id_ in ids
    ]
    return [*records, records[0], (records[1][0], "another name for the same"), ("", "no number")]


def _hires(chance: random.Random, number: int, ids: range, rows: int) -> list[Record]:
    return [
        _spoil(
            chance,
            (
                str(id_),
                f"Hire {id_} of file {number}",
                f"2021-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T12:00:00Z",
                str(chance.choice(_PARENTS)),
                str(chance.choice(_PARENTS)),
            ),
        )
        for id_ in chance.sample(ids, rows)
    ]


def _spoil(chance: random.Random, record: Record) -> Record:
    if chance.random() >= _BLANK_SHARE:
        return record
    blank = chance.randrange(len(record))
    return (*record[:blank], "", *record[blank + 1 :])
