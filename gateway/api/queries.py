"""The hiring questions: queries answers."""

# ruff: noqa: ARG001 - parameters that only the answering service needs are checked here too.

from typing import Any

from flask import Response
from pydantic import BaseModel

from gateway.api.headers import named
from gateway.api.openapi import Api
from gateway.api.requests import ConditionalHeaders, YearQuery
from gateway.api.responses import DepartmentsAboveMean, HiresByQuarter, Years
from gateway.proxy.forward import forward_coalesced
from gateway.services import services

api = Api("queries", __name__, tag="Queries")


_UNCHANGED: dict[str, Any] = {
    "description": "The answer is as it was when it had this ETag.",
    "headers": named("ETag"),
}
_YEARS: dict[int, Any] = {200: api.json_answer(Years, "ETag"), 304: _UNCHANGED}


def _answers(model: type[BaseModel], csv: str) -> dict[int, Any]:
    answer = api.json_answer(model, "ETag")
    as_csv = {"schema": {"type": "string"}, "example": csv.replace("\n", "\r\n")}
    content = {**answer["content"], "text/csv": as_csv}
    return {200: {**answer, "content": content}, 304: _UNCHANGED}


@api.operation("get", "/v1/queries/years", access=("queries:read",), answers=_YEARS)
def years(header: ConditionalHeaders) -> Response:
    """List the years with hires.

    In UTC, in order.
    """
    return forward_coalesced(services().queries, services().coalescer)


@api.operation(
    "get",
    "/v1/queries/hires-by-quarter",
    access=("queries:read",),
    answers=_answers(HiresByQuarter, "department,job,Q1,Q2,Q3,Q4\nSupport,Recruiter,3,0,7,11\n"),
    refusals=(406, 422),
)
def hires_by_quarter(query: YearQuery, header: ConditionalHeaders) -> Response:
    """Count hires by quarter.

    A row for each department and job that hired in the year, quarters in UTC; alphabetically by
    department, then job. With `Accept: text/csv` as CSV.
    """
    return forward_coalesced(services().queries, services().coalescer)


@api.operation(
    "get",
    "/v1/queries/departments-above-mean",
    access=("queries:read",),
    answers=_answers(DepartmentsAboveMean, "id,department,hired\n7,Support,45\n"),
    refusals=(406, 422),
)
def departments_above_mean(query: YearQuery, header: ConditionalHeaders) -> Response:
    """List departments that hired more than the mean.

    Those that hired more in the year than the mean over all departments, most first; a department
    that hired nobody counts as 0. With `Accept: text/csv` as CSV.
    """
    return forward_coalesced(services().queries, services().coalescer)
