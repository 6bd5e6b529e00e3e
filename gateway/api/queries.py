"""The hiring questions: queries answers."""

# ruff: noqa: ARG001 - parameters that only the answering service needs are checked here too.

from typing import Any

from flask import Response
from pydantic import BaseModel

from gateway.api.openapi import Api
from gateway.api.requests import ConditionalHeaders, YearQuery
from gateway.api.responses import DepartmentsAboveMean, HiresByQuarter, Years
from gateway.proxy.forward import forward_coalesced
from gateway.services import services

api = Api("queries", __name__, abp_tags=[{"name": "Queries"}])


_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Changes with the answer."}}
_YEARS: dict[int, Any] = {
    200: {
        "description": "The years.",
        "headers": _ETAG,
        "content": {"application/json": {"schema": api.schema_of(Years)}},
    },
    304: None,
}


def _answers(model: type[BaseModel], columns: str) -> dict[int, Any]:
    content = {
        "application/json": {"schema": api.schema_of(model)},
        "text/csv": {"schema": {"type": "string"}, "example": f"{columns}\r\n"},
    }
    description = "The answer; CSV with `Accept: text/csv`."
    return {200: {"description": description, "headers": _ETAG, "content": content}, 304: None}


@api.operation("get", "/v1/queries/years", access=("queries:read",), answers=_YEARS)
def years(header: ConditionalHeaders) -> Response:
    """The years, in UTC, in which somebody was hired."""
    return forward_coalesced(services().queries, services().coalescer)


@api.operation(
    "get",
    "/v1/queries/hires-by-quarter",
    access=("queries:read",),
    answers=_answers(HiresByQuarter, "department,job,Q1,Q2,Q3,Q4"),
    refusals=(422,),
)
def hires_by_quarter(query: YearQuery, header: ConditionalHeaders) -> Response:
    """Hires of each department and job in a year, by quarter in UTC."""
    return forward_coalesced(services().queries, services().coalescer)


@api.operation(
    "get",
    "/v1/queries/departments-above-mean",
    access=("queries:read",),
    answers=_answers(DepartmentsAboveMean, "id,department,hired"),
    refusals=(422,),
)
def departments_above_mean(query: YearQuery, header: ConditionalHeaders) -> Response:
    """Departments that hired more in a year than the mean over all, most first."""
    return forward_coalesced(services().queries, services().coalescer)
