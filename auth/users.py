"""A user, their access keys and one-time links, and the requests that add or change one."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
)
from pydantic_core import PydanticCustomError

from auth.passwords import MAX_LENGTH, MIN_LENGTH, is_acceptable
from muster.contracts.emails import EmailChoice
from muster.contracts.links import LinkKind
from muster.http.tokens import PERMISSIONS

_EMAIL = re.compile(
    # The pattern of https://html.spec.whatwg.org/#valid-e-mail-address, of a local part of 64.
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
EMAIL_LENGTH = 254
"""The longest address that fits SMTP's path of 256 (RFC 5321, section 4.5.3.1.3)."""

KEY_NAME_LENGTH = 100


def account_key(name: str) -> str:
    """The form by which an account is found and counted: the same however the email is written."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


@dataclass(frozen=True)
class StoredUser:
    """One user. `generation` grows whenever the tokens issued before must end."""

    id: str
    email: str
    password_hash: str
    permissions: frozenset[str]
    disabled: bool = False
    generation: int = 1
    emails: EmailChoice = "each"

    @property
    def administers(self) -> bool:
        """Whether the user can log in and manage users."""
        return not self.disabled and "users:admin" in self.permissions

    def to_json(self) -> dict[str, Any]:
        """The user as the API shows it."""
        return {
            "id": self.id,
            "email": self.email,
            "permissions": sorted(self.permissions),
            "disabled": self.disabled,
        }

    def to_own_json(self) -> dict[str, Any]:
        """The user as the API shows it to this user."""
        return {**self.to_json(), "emails": self.emails}


@dataclass(frozen=True)
class AccessKey:
    """What is kept of a key of the user `user_id`, beside its hash; times are Unix seconds."""

    id: str
    user_id: str
    name: str
    permissions: frozenset[str]
    created_at: int
    expires_at: int
    last_used_at: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The key as the API shows it, without what opens anything."""
        return {
            "id": self.id,
            "name": self.name,
            "permissions": sorted(self.permissions),
            "created_at": timestamp(self.created_at),
            "expires_at": timestamp(self.expires_at),
            "last_used_at": None if self.last_used_at is None else timestamp(self.last_used_at),
        }


@dataclass(frozen=True)
class Link:
    """A one-time link to `email`, without what opens it.

    `user_id` is whose password it sets, or who invited; `permissions` are those of who was invited.
    The trace is that of the request for it.
    """

    id: str
    kind: LinkKind
    email: str
    permissions: frozenset[str]
    requested_at: int
    request_id: str
    traceparent: str
    user_id: str | None = None


@dataclass(frozen=True)
class AuditEntry:
    """What somebody did at a time, in Unix seconds.

    `user_id` and `email` are theirs as they were then: without an id an operator's, or nobody's.
    `subject` is what it was done to. With a `key_id` it was done by that access key.
    """

    id: int
    at: int
    action: str
    user_id: str | None
    email: str
    subject: str
    address: str
    key_id: str | None
    request_id: str

    def to_json(self) -> dict[str, Any]:
        """The entry as the API shows it."""
        return {
            "at": timestamp(self.at),
            "action": self.action,
            "user": self.user_id,
            "email": self.email,
            "subject": self.subject,
            "address": self.address,
            "key": self.key_id,
            "request_id": self.request_id,
        }


def timestamp(seconds: int) -> str:
    """Unix seconds as the API writes a time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _check_email(value: str) -> str:
    if len(value) > EMAIL_LENGTH or not _EMAIL.fullmatch(value):
        raise PydanticCustomError("email", "This is not an email address.")
    return value


def _check_password(value: SecretStr) -> SecretStr:
    if not is_acceptable(value.get_secret_value()):
        raise PydanticCustomError(
            "password",
            "A password has {least} to {most} characters and no control characters.",
            {"least": MIN_LENGTH, "most": MAX_LENGTH},
        )
    return value


def _check_permissions(value: Iterable[str]) -> frozenset[str]:
    permissions = frozenset(value)
    unknown = permissions.difference(PERMISSIONS)
    if unknown:
        raise PydanticCustomError(
            "permission",
            "Unknown: {unknown}. Known are {known}.",
            {"unknown": ", ".join(sorted(unknown)), "known": ", ".join(PERMISSIONS)},
        )
    return permissions


def _check_name(value: str) -> str:
    name = value.strip()
    if not (0 < len(name) <= KEY_NAME_LENGTH and name.isprintable()):
        raise PydanticCustomError(
            "name",
            "A name has 1 to {most} characters, all of which can be printed.",
            {"most": KEY_NAME_LENGTH},
        )
    return name


Email = Annotated[str, AfterValidator(_check_email)]
Password = Annotated[SecretStr, AfterValidator(_check_password)]
Permissions = Annotated[frozenset[str], AfterValidator(_check_permissions)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AddUserRequest(_Request):
    """A user to add; construction raises pydantic's ValidationError."""

    email: Email
    password: Password
    permissions: Permissions = frozenset()


class UserChanges(_Request):
    """Changes to a user; a field left out stays as it is."""

    permissions: Permissions | None = None
    disabled: bool | None = None
    password: Password | None = None

    @field_validator("*")
    @classmethod
    def _is_not_null(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("null", "Leave the field out to keep what it is.")
        return value


class OwnChanges(_Request):
    """What users change of themselves."""

    emails: EmailChoice


class PasswordChangeRequest(_Request):
    """A user's own change of password."""

    current_password: SecretStr
    new_password: Password


class NewKeyRequest(_Request):
    """An access key to make. The JSON of `expires_at` is a time with an offset (RFC 3339)."""

    name: Annotated[str, AfterValidator(_check_name)]
    permissions: Permissions = Field(min_length=1)
    expires_at: AwareDatetime


class ResetRequest(_Request):
    """A link to set a new password, to be sent by email."""

    email: Email


class InvitationRequest(_Request):
    """A link to become a user, to be sent by email."""

    email: Email
    permissions: Permissions = frozenset()


class LinkUse(_Request):
    """What opens a one-time link, and the password to set."""

    token: str
    password: Password
