"""The messages between the services: JSON in UTF-8, versioned, named in the past tense.

`docs/messages.md` describes them. A reader ignores fields it doesn't know and refuses a version it
doesn't know.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from muster.uploads import Upload, now


class UnreadableMessage(Exception):
    """A message that no retry makes readable: it belongs in the dead-letter queue."""


@dataclass(frozen=True)
class Message:
    """What the messages have in common."""

    routing_key: ClassVar[str]
    version: ClassVar[int] = 1

    def to_body(self) -> bytes:
        """The message as UTF-8 JSON."""
        return json.dumps({"version": self.version, **asdict(self)}).encode()

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """The message in `body`; raises UnreadableMessage."""
        try:
            content: dict[str, Any] = json.loads(body)
            version = content["version"]
            if version != cls.version:
                raise UnreadableMessage(f"{cls.routing_key} has no version {version!r}")
            texts = {field.name: content[field.name] for field in fields(cls)}
            if not all(isinstance(text, str) for text in texts.values()):
                raise UnreadableMessage(f"{cls.routing_key} has a field that is no text")
            return cls(**texts)
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableMessage(f"{cls.routing_key}: {error!r}") from error


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
