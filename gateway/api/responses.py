"""The JSON of the API, as the OpenAPI document shows it, beside the upload's.

What other services answer is forwarded unread: these models only describe it.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.rows import Row
from muster.contracts.emails import EmailChoice
from muster.contracts.problems import uri_of
from muster.contracts.upload_document import UploadDocument
from muster.contracts.uploads import Kind
from muster.http.tokens import PERMISSIONS

_EMAIL = Field(examples=["ana@example.com"])
Permission = Annotated[str, Field(json_schema_extra={"enum": list(PERMISSIONS)})]
_PERMISSIONS = Field(description=f"Any of {', '.join(PERMISSIONS)}.", examples=[["uploads:write"]])
_PERMISSIONS_OR_NONE: Any = Field(
    default_factory=list,
    description=f"Any of {', '.join(PERMISSIONS)}; none if left out.",
    examples=[["uploads:write"]],
)
_PASSWORD = Field(
    min_length=12,
    max_length=1024,
    description="Not one that is easy to guess.",
    examples=["correct horse battery staple"],
)


class FieldFault(BaseModel):
    """What is wrong with a parameter, a header or a field of the body."""

    field: str = Field(examples=["year"])
    message: str = Field(examples=["Field required"])


class RowFault(BaseModel):
    """What is wrong with a row of a batch."""

    row: int = Field(ge=1, description="Its number in the batch, from 1.")
    column: str | None = Field(description="Null if it is the row as a whole.")
    code: str = Field(examples=["foreign-key"])
    message: str = Field(examples=["there is no row of departments with id 99"])


class ProblemDocument(BaseModel):
    """An error, per RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="Where this installation explains the problem, by its code.",
        examples=[uri_of("not-found")],
    )
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldFault | RowFault] = Field(
        default_factory=list, description="Of 422: each field or row that is wrong."
    )


class Token(BaseModel):
    """An access token, for the header `Authorization: Bearer`."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds.", examples=[3600])


class User(BaseModel):
    """A user."""

    id: str
    email: str = _EMAIL
    permissions: list[Permission] = _PERMISSIONS
    disabled: bool


class Me(User):
    """The user of the token. `emails` says which emails about their uploads they get."""

    emails: EmailChoice


class OwnChange(BaseModel):
    """What to change of oneself."""

    emails: EmailChoice = Field(
        description="`each`: one for each upload; `digest`: those of a minute in one; `problems`: "
        "only about uploads that failed, or rejected or did not undo some rows; `none`."
    )


class Users(BaseModel):
    """All users."""

    users: list[User]


class NewUser(BaseModel):
    """A user to add."""

    email: str = _EMAIL
    password: str = _PASSWORD
    permissions: list[Permission] = _PERMISSIONS_OR_NONE


class UserChange(BaseModel):
    """What to change of a user; what is left out stays."""

    # Made defaults stay out of the document: a field may be left out, but not be null.
    permissions: list[Permission] = Field(default_factory=list)
    password: str = Field(
        default_factory=str, min_length=12, max_length=1024, description="Of another user."
    )
    disabled: bool = Field(default_factory=bool)


class PasswordChange(BaseModel):
    """One's own new password."""

    current_password: str
    new_password: str = _PASSWORD


class NewPasswordReset(BaseModel):
    """Whose password was forgotten."""

    email: str = _EMAIL


class Requested(BaseModel):
    """What was asked for is done, if it can be; the answer does not tell."""


class NewInvitation(BaseModel):
    """Who is invited, and what they may do then."""

    email: str = _EMAIL
    permissions: list[Permission] = _PERMISSIONS_OR_NONE


class Invitation(BaseModel):
    """An invitation, which is on its way."""

    email: str = _EMAIL
    permissions: list[Permission] = _PERMISSIONS
    expires_at: datetime


class LinkUse(BaseModel):
    """What opens a link, and the password to set."""

    token: str = Field(description="What stands after the # of the link.")
    password: str = _PASSWORD


class AuditEntry(BaseModel):
    """What somebody did, or, of an undo, an erasure and a webhook, asked for."""

    at: datetime
    action: str = Field(examples=["user-changed"])
    user: str | None = Field(description="Whose id; null of an operator, or of nobody known.")
    email: str = Field(description="As it was then.", examples=["ana@example.com"])
    subject: str = Field(description="To whom or what.", examples=["bob@example.com: disabled"])
    address: str = Field(description="From where.", examples=["192.0.2.7"])
    key: str | None = Field(description="The id of the access key, if it was done by one.")
    request_id: str


class AuditPage(BaseModel):
    """Entries of the audit log, newest first."""

    entries: list[AuditEntry]
    next: str | None = Field(description="The cursor of the next page, if there is one.")


_KEY_NAME = Field(min_length=1, max_length=100, examples=["nightly load"])
_EXPIRES_AT = Field(description="When it ends: within 366 days.", examples=["2027-01-01T00:00:00Z"])


class NewAccessKey(BaseModel):
    """An access key to make."""

    name: str = _KEY_NAME
    permissions: list[Permission] = Field(
        min_length=1, description="Of one's own.", examples=[["uploads:write", "uploads:read"]]
    )
    expires_at: datetime = _EXPIRES_AT


class AccessKey(BaseModel):
    """An access key, without what is sent as the token.

    It may what its `permissions` and its owner's allow at the time. It ends early when it is
    revoked, and when its owner is disabled or deleted or gets another password.
    """

    id: str
    name: str = _KEY_NAME
    permissions: list[Permission] = _PERMISSIONS
    created_at: datetime
    expires_at: datetime = _EXPIRES_AT
    last_used_at: datetime | None = Field(description="To the minute; null if it never was.")


class MadeAccessKey(AccessKey):
    """An access key that has just been made, with what no other answer shows."""

    key: str = Field(
        description="Sent as `Authorization: Bearer`.",
        pattern="^muster_[0-9A-Za-z]{49}$",
    )


class AccessKeys(BaseModel):
    """One's own access keys, newest first; one that has expired is listed for another 30 days."""

    keys: list[AccessKey]


class UploadPage(BaseModel):
    """Uploads, newest first."""

    uploads: list[UploadDocument]
    next: str | None = Field(
        description="The cursor of the next page, if there is one. A page may have fewer uploads "
        "than its limit though others follow: for a part of a file name, a time or a person, a "
        "request looks through 2,000 at most."
    )


class TableSchema(BaseModel):
    """A declared table, in Frictionless Table Schema (https://datapackage.org)."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["jobs"])
    title: str = Field(examples=["Jobs"])
    fields: list[dict[str, Any]]


class Tables(BaseModel):
    """The declared tables."""

    tables: list[TableSchema]


class RowPage(BaseModel):
    """Rows of a table, in the order that was asked for, or that of the key."""

    rows: list[Row]
    next: str | None = Field(
        description="The cursor of the next page, if there is one. A page may have fewer rows than "
        "its limit though others follow: what no index answers is looked through for a second."
    )
    count: int = Field(
        ge=0, le=10_000, description="How many rows there are on all pages, up to 10,000."
    )
    count_capped: bool = Field(
        description="Whether there may be more than `count`: over 10,000, or behind the first "
        "100,000 that a search, or a second filter, looks through."
    )
    names: dict[str, dict[str, str]] | None = Field(
        None,
        description="With `names=true`: of each column that refers to another table, what the rows "
        "referred to are called, by their keys.",
        examples=[{"department_id": {"5": "Support"}}],
    )


class RowChange(BaseModel):
    """A change that wrote a row."""

    change: int = Field(description="Its number: the higher, the later.")
    kind: Kind | Literal["batch"]
    effect: Literal["inserted", "updated", "removed"] = Field(description="What it did to the row.")
    upload: str | None = Field(
        description="The upload's id; null of a batch, and of another user's upload, which only "
        "`uploads:admin` shows."
    )
    at: datetime
    by: str | None = Field(
        description="Who made it; null of another user's, which only `uploads:admin` shows.",
        examples=["ana@example.com"],
    )
    line: int | None = Field(
        description="The physical line of the upload's file on which the row begins. Null of what "
        "came from no file, of another user's, and where `no_line` says why."
    )
    no_line: Literal["removed", "too-large", "not-found"] | None = Field(
        description="Why there is no `line`: the file is no longer kept, is larger than 16 MiB, or "
        "was not read to that line within a second."
    )
    before: Row | None = Field(
        description="The row as it was before; null where it was not there, and where `forgotten` "
        "says why."
    )
    forgotten: Literal["expired", "erased"] | None = Field(
        description="Why `before` is no longer kept: the change is older than `MUSTER_UNDO_DAYS`, "
        "or the row was erased."
    )


class RowHistory(BaseModel):
    """Changes of a row, newest first."""

    changes: list[RowChange]
    next: str | None = Field(
        description="The cursor of the next page, if there is one. A page may have fewer changes "
        "than its limit though others follow."
    )


class BatchCounts(BaseModel):
    """What became of a batch of rows."""

    read: int
    inserted: int
    updated: int
    unchanged: int


class Suggestion(BaseModel):
    """What a cell may have been meant to hold."""

    value: str = Field(description="The text that it could hold.", examples=["4"])
    name: str | None = Field(description="What that stands for.", examples=["Marketing"])


class CheckedRowError(RowFault):
    """What is wrong with a row that was checked."""

    suggestions: list[Suggestion] = Field(
        description="At most three, the best first: a question for a person. Names of rows are "
        "for `queries:read`, and compared are the first 2,000 of a table."
    )


class BatchCheck(BaseModel):
    """What is wrong with rows that were checked: no error means that they would be written."""

    read: int = Field(description="How many rows were checked.")
    errors: list[CheckedRowError] = Field(
        description="In the order of the rows: at most `MUSTER_MAX_BATCH_ERRORS`, each row's first "
        "before any row's second."
    )
    errors_total: int = Field(description="How many errors there are.")


class JsonWebKey(BaseModel):
    """The public half of a key that signs receipts (RFC 8037, section 2)."""

    kty: str = Field(examples=["OKP"])
    crv: str = Field(examples=["Ed25519"])
    x: str = Field(description="The key, base64url.")
    kid: str = Field(description="Which key a receipt names in its header.")
    use: str = Field(examples=["sig"])
    alg: str = Field(examples=["EdDSA"])


class JsonWebKeys(BaseModel):
    """A JWK Set (RFC 7517, section 5)."""

    keys: list[JsonWebKey]


class Years(BaseModel):
    """The years in which somebody was hired, in order."""

    years: list[int] = Field(examples=[[2021, 2022]])


class QuarterRow(BaseModel):
    """Hires of a department and job by quarter."""

    department: str = Field(examples=["Support"])
    job: str = Field(examples=["Recruiter"])
    q1: int
    q2: int
    q3: int
    q4: int


class HiresByQuarter(BaseModel):
    """A row for each department and job that hired in the year."""

    year: int
    rows: list[QuarterRow]


class DepartmentRow(BaseModel):
    """Hires of a department."""

    id: int
    department: str = Field(examples=["Support"])
    hired: int


class DepartmentsAboveMean(BaseModel):
    """Departments that hired more in the year than the mean over all departments."""

    year: int
    mean: float
    rows: list[DepartmentRow]
