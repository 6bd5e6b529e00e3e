"""What Muster answers with, as typed objects.

Each is read from a JSON object: a field that this version does not know is passed over, and stands
in `document`, which is the object as it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

Json = dict[str, Any]
T = TypeVar("T")

FINAL_STATES = frozenset(
    {"completed", "completed_with_rejects", "validated", "failed", "cancelled"}
)


@dataclass(frozen=True)
class Document:
    """A JSON object."""

    document: Json

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The object that a JSON object describes; a field that is missing has its default."""
        known = {
            field.name: cls._value(field.name, document[field.name])
            for field in fields(cls)
            if field.name in document
        }
        return cls(**{**known, "document": dict(document)})

    @classmethod
    def _value(cls, name: str, value: Any) -> Any:
        if name.endswith("_at") and isinstance(value, str):
            return datetime.fromisoformat(value)
        return value


@dataclass(frozen=True)
class Cause(Document):
    """A reason for which rows were rejected, and how many were."""

    code: str
    message: str
    rows: int
    column: str | None = None
    first_line: int | None = None


@dataclass(frozen=True)
class Failure(Document):
    """Why an upload failed or, while it is not final, what it waits for."""

    code: str
    detail: str


@dataclass(frozen=True)
class Upload(Document):
    """One upload: a file, an undo or an erasure.

    `rows` are counts: of a file `read`, `inserted`, `updated`, `unchanged`, `rejected` and
    `unprocessed`; of an undo `written`, `restored`, `removed`, `kept` and `blocked`. `change` is
    the number of what it wrote, None if it wrote nothing.
    """

    id: str
    table: str
    filename: str
    size: int
    sha256: str
    state: str
    submitted_by: str
    submitted_at: datetime
    rows: dict[str, int]
    progress: float = 0.0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    kind: str = "upload"
    options: Json | None = None
    causes: tuple[Cause, ...] = ()
    error: Failure | None = None
    warnings: tuple[Json, ...] = ()
    previous: str | None = None
    undoes: str | None = None
    loads: str | None = None
    change: int | None = None
    impact: Json | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in FINAL_STATES

    @property
    def left_out(self) -> int:
        """How many rows were rejected or, of an undo, kept or blocked."""
        return sum(self.rows.get(name, 0) for name in ("rejected", "kept", "blocked"))

    @classmethod
    def _value(cls, name: str, value: Any) -> Any:
        if name == "causes":
            return tuple(map(Cause.read, value))
        if name == "error":
            return value and Failure.read(value)
        return tuple(value) if name == "warnings" else super()._value(name, value)


@dataclass(frozen=True)
class Table(Document):
    """A declared table; `document` is its Frictionless Table Schema."""

    name: str
    fields: list[Json]
    title: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(field["name"] for field in self.fields)

    @property
    def parents(self) -> frozenset[str]:
        """The tables that its foreign keys refer to, itself left out."""
        keys = self.document.get("foreignKeys", ())
        return frozenset(key["reference"]["resource"] or self.name for key in keys) - {self.name}


@dataclass(frozen=True)
class User(Document):
    """A user."""

    id: str
    email: str
    permissions: list[str]
    disabled: bool = False


@dataclass(frozen=True)
class Me(User):
    """The user who asks; `emails` says which emails are sent."""

    emails: str | None = None


@dataclass(frozen=True)
class Invitation(Document):
    """An invitation, which is on its way by email."""

    email: str
    permissions: list[str]
    expires_at: datetime


@dataclass(frozen=True)
class AccessKey(Document):
    """An access key. `key`, which is sent as the token, is known only when it is made."""

    id: str
    name: str
    permissions: list[str]
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    key: str | None = None


@dataclass(frozen=True)
class Webhook(Document):
    """An endpoint that is called when an upload is final; its `secret` is told only once."""

    id: str
    url: str
    enabled: bool = True
    secret: str | None = None


@dataclass(frozen=True)
class Delivery(Document):
    """A call of an endpoint, and what became of it."""

    id: str
    state: str = ""
    attempts: int = 0
    upload: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of many, and the cursor of those that follow, None at the end."""

    items: tuple[T, ...]
    next: str | None
