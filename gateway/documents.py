"""The other JSON of the API, as the OpenAPI document shows it. What other services answer is handed
on unread; these models only describe it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.responses import UploadDocument
from muster.http.tokens import PERMISSIONS

_EMAIL = Field(examples=["ana@example.com"])
Permission = Annotated[str, Field(json_schema_extra={"enum": list(PERMISSIONS)})]
_PERMISSIONS = Field(description=f"Any of {', '.join(PERMISSIONS)}.", examples=[["uploads:write"]])
_PASSWORD = Field(
    min_length=12,
    max_length=1024,
    description="Not one that is easy to guess.",
    examples=["correct horse battery staple"],
)


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:muster:problem:not-found"])
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[dict[str, Any]] | None = Field(
        None,
        description="Of 422: each wrong field, or for rows `row`, `column`, `code` and `message`.",
        examples=[[{"field": "year", "message": "Field required"}]],
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


class Users(BaseModel):
    """All users."""

    users: list[User]


class NewUser(BaseModel):
    """A user to add."""

    email: str = _EMAIL
    password: str = _PASSWORD
    permissions: list[Permission] = _PERMISSIONS


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


class UploadPage(BaseModel):
    """Uploads, newest first."""

    uploads: list[UploadDocument]
    next: str | None = Field(description="The cursor of the next page, if there is one.")


class TableSchema(BaseModel):
    """A declared table, as Frictionless Table Schema (https://datapackage.org) has it."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["jobs"])
    title: str = Field(examples=["Jobs"])
    fields: list[dict[str, Any]]


class Tables(BaseModel):
    """The declared tables."""

    tables: list[TableSchema]


class RowPage(BaseModel):
    """Rows of a table, in key order."""

    rows: list[dict[str, Any]] = Field(examples=[[{"id": 1, "job": "Recruiter"}]])
    next: str | None


class BatchCounts(BaseModel):
    """What became of a batch of rows."""

    read: int
    inserted: int
    updated: int
    unchanged: int


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
