"""A large file of new hires, against other ways into the table; then again, changed, damaged."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.employment import EmploymentDatabase
from bench.figures import Comparison, Figure, Series, at_least, at_most
from bench.hires import write_damaged, write_hires, write_moved, write_renamed
from bench.interleaving import interleaved
from bench.part import Answer, Plan
from bench.peers import (
    insert_each,
    insert_many,
    load_data,
    load_data_unchecked,
    read_frame,
    read_rows,
    to_sql,
)
from bench.servers import describe_servers, durable_servers, running_suite
from bench.uploading import Loaded, load, load_parents
from embedded.client import Client

_ROWS_ONE_BY_ONE = 20_000

Turn = Callable[[], Loaded]


@dataclass(frozen=True)
class _Files:
    """The same hires in four states, and how many of the last are damaged."""

    new: Path
    renamed: Path
    moved: Path
    damaged: Path
    rejected: int


class _Contest:
    """Whose turns they are: each begins with the table as it must be, and a server at rest."""

    def __init__(self, plan: Plan, database: EmploymentDatabase, url: str, client: Client) -> None:
        self._hires = plan.hires
        self._database = database
        self._url = url
        self._client = client
        self._files = _write_files(plan)

    def turns(self) -> dict[str, Turn]:
        """In this order, for some go on with what the one before loaded."""
        files, database, hires = self._files, self._database, self._hires
        frame = read_frame(files.new)
        rows = read_rows(files.new, hires)
        few = rows[:_ROWS_ONE_BY_ONE]
        good = hires - files.rejected
        return {
            "raw": partial(self._peer, hires, partial(load_data, database, files.new)),
            "unchecked": partial(
                self._peer, hires, partial(load_data_unchecked, database, files.new)
            ),
            "pandas": partial(self._peer, hires, partial(to_sql, self._url, frame)),
            "multi-row": partial(self._peer, hires, partial(insert_many, database, rows)),
            "row by row": partial(self._peer, len(few), partial(insert_each, database, few)),
            "new": partial(self._ours, files.new, empty=True, inserted=hires),
            "same": partial(self._ours, files.new, unchanged=hires),
            "renamed": partial(self._ours, files.renamed, updated=hires),
            "moved": partial(self._ours, files.moved, updated=hires),
            "damaged": partial(
                self._ours, files.damaged, empty=True, inserted=good, rejected=files.rejected
            ),
        }

    def _ours(self, path: Path, *, empty: bool = False, **expected: int) -> Loaded:
        if empty:
            self._database.empty_hires()
        self._database.settle()
        return load(self._client, path, **expected)

    def _peer(self, rows: int, insert: Callable[[], float]) -> Loaded:
        self._database.empty_hires()
        self._database.settle()
        # Scaled to the whole file, for who was given fewer rows.
        seconds = insert() * self._hires / rows
        if self._database.count_hires() != rows:
            raise RuntimeError("a peer did not load every row")
        return Loaded(0.0, seconds)


def measure(plan: Plan) -> Answer:
    """Load `plan.hires` in all ways, in turns."""
    with durable_servers(plan.directory / "servers") as family:
        url = family.environment["MUSTER_EMPLOYMENT_DATABASE_URL"]
        with running_suite(family) as (_, client), EmploymentDatabase(url) as database:
            load_parents(client, plan.samples)
            found = interleaved(plan.runs, _Contest(plan, database, url, client).turns())
            settings = (describe_servers(family), database.settings())
    size = f"{plan.hires:,}"
    return Answer(
        f"Loading {size} hires",
        _figures(size, found),
        (*settings, *_CONDITIONS),
        _bars(plan.hires, found),
    )


_CONDITIONS = (
    "Ours is the time from the POST to the final state, through RabbitMQ and GridFS; it includes "
    "checking every row, the summary, the ledger and the reject file.",
    "Before each turn the table is as the figure says, freshly truncated or with the rows of the "
    "load before, MariaDB has written all pages and purged old versions, and the disk is synced.",
    "All peers use the same table with its two indexes and two foreign keys, the same server and "
    "the same driver. The raw command is one statement in one transaction; "
    "`SET datetime = LEFT(@moment, 19)` costs no time and saves a warning a row; the `mariadb` "
    "client was no faster than the driver.",
    "The raw command reads the file, from the page cache. pandas, INSERT of many rows and of one "
    "begin with rows that are read and checked before their time starts.",
    "`pandas.to_sql` has `method=None, chunksize=1000`, the fastest of five settings "
    '(`method="multi"` took four times as long); INSERT of many rows has 1,000 in each.',
    f"A row a time is measured with {_ROWS_ONE_BY_ONE:,} rows in one transaction, and scaled.",
    "“Renamed” changes the name of every row; “all columns changed” moves every row to another "
    "name, year, department and job as well, which rewrites both indexes.",
)


def _figures(size: str, found: dict[str, list[Loaded]]) -> tuple[Figure, ...]:
    final = {
        name: Series("s", tuple(loaded.final for loaded in turns)) for name, turns in found.items()
    }
    new, raw = final["new"], final["raw"]
    ratio, times = Comparison.RATIO, Comparison.TIMES
    accepted = Series("s", tuple(loaded.accepted for loaded in found["new"]))
    return (
        Figure(f"{size} new hires, against raw `LOAD DATA LOCAL`", new, raw, ratio, at_most(1.0)),
        Figure("of that, POST to 202", accepted),
        Figure("against `pandas.to_sql`", new, final["pandas"], times, at_least(3)),
        Figure("against INSERT of many rows", new, final["multi-row"], times),
        Figure("against INSERT of a row a time, scaled", new, final["row by row"], times),
        Figure("against `LOAD DATA` without its checks of keys", new, final["unchecked"], ratio),
        Figure(
            "the same file again, against raw `LOAD DATA`", final["same"], raw, ratio, at_most(1.5)
        ),
        Figure("every row renamed, against the same", final["renamed"], raw, ratio, at_most(1.5)),
        Figure("all columns changed, against the same", final["moved"], raw, ratio),
        Figure("5 % damaged, against the clean file", final["damaged"], new, ratio, at_most(1.25)),
    )


def _bars(hires: int, found: dict[str, list[Loaded]]) -> dict[str, Series]:
    labels = {
        "Muster, new": "new",
        "Muster, 5 % damaged": "damaged",
        "Muster, all unchanged": "same",
        "Muster, every row renamed": "renamed",
        "LOAD DATA LOCAL": "raw",
        "INSERT of 1,000 rows": "multi-row",
        "pandas.to_sql": "pandas",
        "INSERT of a row": "row by row",
    }
    return {
        label: Series("rows/s", tuple(hires / loaded.final for loaded in found[name]))
        for label, name in labels.items()
    }


def _write_files(plan: Plan) -> _Files:
    new, renamed, moved, damaged = (
        plan.directory / f"{name}.csv" for name in ("new", "renamed", "moved", "damaged")
    )
    write_hires(new, plan.hires)
    write_renamed(renamed, plan.hires)
    write_moved(moved, plan.hires)
    return _Files(new, renamed, moved, damaged, write_damaged(damaged, plan.hires))
