"""Previews: how a file would be read, before it is uploaded."""

from typing import Literal

from flask import Response, g
from pydantic import BaseModel, Field

from gateway.api.openapi import Api
from gateway.api.requests import UploadQuery, preview_body
from gateway.api.uploads import FILE
from gateway.proxy.forward import respond
from gateway.services import services
from gateway.uploads.accept import Submission

api = Api("previews", __name__, tag="Uploads")


class PreviewColumn(BaseModel):
    """A column of the file."""

    label: str | None = Field(description="Its label; null without a header.")
    column: str | None = Field(
        description="The column of the table that it is; blank if it is passed over, null if its "
        "label means none."
    )


class CellFault(BaseModel):
    """What is wrong with a cell, or with a row."""

    code: str = Field(examples=["type-error"])
    column: str | None
    message: str


class PreviewCell(BaseModel):
    """A cell, in the place of its column."""

    text: str = Field(description="What the file has, trimmed; cut after 1,000 characters.")
    value: int | str | None = Field(
        description="Its value, as rows of the API have it; null if it has none, or is wrong."
    )
    error: CellFault | None


class PreviewRow(BaseModel):
    """A row as it would be read."""

    line: int = Field(description="The physical line on which it begins.")
    cells: list[PreviewCell] = Field(description="None of a row that can't be split into cells.")
    text: str | None = Field(description="What such a row holds.")
    errors: list[CellFault] = Field(description="What is wrong with the row as a whole.")


class DateReading(BaseModel):
    """What a date means in either order; null where it is none."""

    line: int
    text: str = Field(examples=["7/11/2021"])
    dmy: str | None = Field(examples=["2021-11-07T00:00:00Z"])
    mdy: str | None = Field(examples=["2021-07-11T00:00:00Z"])


class PreviewProblem(BaseModel):
    """What is wrong or odd, where, and what to do."""

    code: str = Field(
        description="One of an upload that failed, a rejected row or a warning; `ambiguous-dates`, "
        "`several-sheets` or `no-preview`.",
        examples=["ambiguous-dates"],
    )
    message: str
    line: int | None = Field(description="The physical line of the first place.")
    column: str | None
    rows: int | None = Field(description="How many of the rows that were looked at have it.")
    fails: bool = Field(description="Whether the file as a whole fails as it is.")
    readings: list[DateReading] = Field(description="Of `ambiguous-dates`, some of them.")


class PreviewSheet(BaseModel):
    """A worksheet of a workbook."""

    name: str
    visible: bool


class PreviewDocument(BaseModel):
    """How the beginning of a file would be read."""

    table: str
    encoding: str | None = Field(examples=["utf-8"], description="Null of a workbook.")
    delimiter: Literal[",", ";", "tab", "pipe"] | None = Field(description="Null of a workbook.")
    header: Literal["present", "absent"] | None = Field(
        description="Null where it can't be told: then `columns` has the labels of the record that "
        "may be meant as one."
    )
    columns: list[PreviewColumn] = Field(description="In the order of the file: the first 200.")
    rows: list[PreviewRow] = Field(description="The first five.")
    problems: list[PreviewProblem]
    sheet: str | None = Field(description="The sheet of a workbook that is read.")
    sheets: list[PreviewSheet] = Field(description="All of them; none of CSV.")
    read: int = Field(description="How many rows were looked at for problems: 1,000 at most.")


@api.operation(
    "post",
    "/v1/uploads/preview",
    access=("uploads:write",),
    answers={200: PreviewDocument},
    refusals=(400, 408, 413, 414, 415, 422),
    request_body=FILE,
)
def preview_upload(query: UploadQuery) -> Response:
    """Preview a file.

    See how it would be read before you upload it: its columns, first rows and problems. Nothing is
    kept, and keys are not looked up. The first 256 KiB of a text will do; a workbook comes whole.
    """
    submission = Submission(
        g.principal, preview_body(), query.options(), query.table, query.filename
    )
    return respond(services().previews.make(submission))
