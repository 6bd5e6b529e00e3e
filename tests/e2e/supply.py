"""Files for the sweep of crash points: small ones of each kind, that change each other's rows."""

import threading
from collections.abc import Iterator

from tests.e2e.crashing import Kind
from tests.e2e.workload import UploadFile, make_files

_SEED = 20210101
_FEW_HIRES = range(1, 301)
_SMALL, _LARGE = 40, 6000


class Supply:
    """Hands out files that nobody had before, from any thread."""

    def __init__(self, count: int) -> None:
        """Make `count` small files, one of six of which suits the rarest kind, and a few large."""
        small = make_files(count, _SMALL, _SEED, _FEW_HIRES)
        self.parents = small[:2]
        self._lock = threading.Lock()
        self._small = _some_again(small[2:])
        self._large = iter(make_files(count // 10, _LARGE, _SEED))

    def next(self, kind: Kind) -> UploadFile:
        """A file that leads to an upload of the kind."""
        with self._lock:
            files = self._large if kind is Kind.LARGE else self._small
            return next(file for file in files if _fits(file, kind))


def _some_again(files: list[UploadFile]) -> Iterator[UploadFile]:
    """The files, and every fifth once more: none of its rows changes anything then."""
    for number, file in enumerate(files):
        yield file
        if number % 5 == 0:
            yield UploadFile(file.table, file.records, {})


def _fits(file: UploadFile, kind: Kind) -> bool:
    is_hires = file.table == "hired_employees"
    match kind:
        case Kind.LARGE:
            return is_hires
        case Kind.LOADED:
            return file.options.keys() <= {"mode"}
        case Kind.NOT_LOADED:
            # Files of departments and jobs always have rejects.
            return "dry_run" in file.options or ("max_rejects" in file.options and not is_hires)
        case _:
            return True
