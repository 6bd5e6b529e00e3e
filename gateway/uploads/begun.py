"""What is kept of uploads in parts: a document of each in the file store, and one of each user's.

They last for as long as an upload may be finished, and then are swept away (`sweep.py`), as are the
parts.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256

from pydantic import TypeAdapter, ValidationError

from muster.contracts.uploads import Options, now
from muster.filestore import FileNotStored, FileStore

LIFETIME = timedelta(hours=24)
"""How long after it was begun an upload may be finished."""

_NAME = re.compile(r"[0-9a-f]{32}\.resumable(\.[0-9a-f]+)?")


@dataclass(frozen=True)
class Part:
    """A part of a file: its name in the store, and its bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class ResumableUpload:
    """An upload that was begun: what was said of it, and what has come.

    `length` is that of the body in bytes, gzipped if it is; `upload` is the upload that it became.
    """

    id: str
    owner: str
    filename: str
    table: str
    options: Options
    key: str | None
    previous: str | None
    media_type: str
    coding: str
    length: int
    begun_at: datetime
    parts: tuple[Part, ...] = ()
    upload: str | None = None

    @property
    def offset(self) -> int:
        """How many bytes have come."""
        return self.length if self.upload else sum(part.size for part in self.parts)

    @property
    def seconds_left(self) -> int:
        """For how long it may still be finished."""
        return int((self.begun_at + LIFETIME - now()).total_seconds())

    def is_request(self, other: "ResumableUpload") -> bool:
        """Whether both were begun by the same request."""
        return self == replace(other, begun_at=self.begun_at, parts=self.parts, upload=self.upload)


_UPLOAD = TypeAdapter(ResumableUpload)
_IDS = TypeAdapter(list[str])


def is_of_resumable(file: str) -> bool:
    """Whether a stored file belongs to an upload which was begun."""
    return _NAME.fullmatch(file) is not None


class BegunUploads:
    """The documents. Every method may raise StoreUnavailable."""

    def __init__(self, files: FileStore) -> None:
        self._files = files

    def find(self, resumable_id: str) -> ResumableUpload | None:
        """The upload, unless there is none, or it may no longer be finished."""
        content = self._read(resumable_id)
        try:
            begun = None if content is None else _UPLOAD.validate_json(content)
        except ValidationError:
            # One of a user.
            return None
        return None if begun is None or begun.seconds_left <= 0 else begun

    def save(self, begun: ResumableUpload) -> None:
        """Keep the upload, in place of what was kept of it."""
        self._write(begun.id, _UPLOAD.dump_json(begun))

    def remove(self, begun: ResumableUpload) -> None:
        """Forget the upload and its parts."""
        # First what says that there are parts: who dies in between leaves them to the sweep.
        self._files.delete(f"{begun.id}.resumable")
        for part in begun.parts:
            self._files.delete(part.name)

    def add_to_user(self, user: str, resumable_id: str) -> None:
        """Note that the user begins the upload; one call at a time for each user."""
        others = [begun.id for begun in self._unaccepted(user)]
        self._write(_id_of(user), _IDS.dump_json([*others, resumable_id]))

    def bytes_of_day(self, user: str, day: date) -> int:
        """The bytes of all that the user has begun on that day in UTC, and that is not accepted."""
        return sum(each.length for each in self._unaccepted(user) if each.begun_at.date() == day)

    def _unaccepted(self, user: str) -> list[ResumableUpload]:
        content = self._read(_id_of(user))
        ids = [] if content is None else _IDS.validate_json(content)
        found = (self.find(resumable_id) for resumable_id in dict.fromkeys(ids))
        return [begun for begun in found if begun is not None and begun.upload is None]

    def _read(self, name: str) -> bytes | None:
        try:
            with self._files.open(f"{name}.resumable") as file:
                return file.read()
        except (FileNotStored, ValueError):
            # A name that no stored file can have is none that was given to anybody.
            return None

    def _write(self, name: str, content: bytes) -> None:
        with self._files.write(f"{name}.resumable") as file:
            file.write(content)


def _id_of(user: str) -> str:
    return sha256(f"user {user}".encode()).hexdigest()[:32]
