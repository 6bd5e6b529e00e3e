"""The messages between the services: JSON in UTF-8, versioned, named in the past tense.

`docs/messages.md` describes them. A reader ignores fields it doesn't know and refuses a version it
doesn't know.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter

from muster.contracts.strict_json import Unreadable, read_json
from muster.contracts.uploads import Upload, now


class UnreadableMessage(Exception):
    """A message that no retry makes readable: it belongs in the dead-letter queue."""


@dataclass(frozen=True)
class Message:
    """What the messages have in common."""

    routing_key: ClassVar[str]
    version: ClassVar[int] = 1

    def to_body(self) -> bytes:
        """The message as UTF-8 JSON."""
        return json.dumps({"version": self.version, **vars(self)}).encode()

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """The message in `body`, whatever that is; raises UnreadableMessage and nothing else."""
        try:
            version = read_json(_VERSIONED, body).version
            if version != cls.version:
                raise Unreadable(f"version {str(version)[:20]} is not known here")
            message: Self = read_json(_READERS[cls], body)
        except Unreadable as error:
            raise UnreadableMessage(f"{cls.routing_key}: {error}") from None
        return message


@dataclass(frozen=True)
class _Versioned:
    version: int


_VERSIONED = TypeAdapter(_Versioned)


@dataclass(frozen=True)
class UploadAccepted(Message):
    """An upload is stored for good and waits for its loader."""

    routing_key = "upload.accepted"

    upload_id: str
    table: str
    submitted_by: str
    submitted_at: str

    @classmethod
    def about(cls, upload: Upload) -> "UploadAccepted":
        """The message about `upload`."""
        submitted_at = upload.submitted_at.isoformat()
        return cls(upload.id, upload.table, upload.submitted_by, submitted_at)


@dataclass(frozen=True)
class UploadFinished(Message):
    """An upload is in its final state."""

    routing_key = "upload.finished"

    upload_id: str
    table: str
    state: str
    submitted_by: str
    finished_at: str

    @classmethod
    def about(cls, upload: Upload) -> "UploadFinished":
        """The message about `upload`, which is final."""
        finished_at = (upload.finished_at or now()).isoformat()
        return cls(upload.id, upload.table, upload.state.value, upload.submitted_by, finished_at)


@dataclass(frozen=True)
class EmailRequested(Message):
    """An email about an account is to be sent; what it says is fetched from auth, by its id."""

    routing_key = "email.requested"

    email_id: str
    requested_at: str


_READERS: Mapping[type[Message], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in Message.__subclasses__()
}
