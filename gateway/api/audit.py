"""The audit log: auth keeps it."""

# ruff: noqa: ARG001 - parameters that only the answering service needs are checked here too.

from flask import Response

from gateway.api.openapi import Api
from gateway.api.requests import AuditQuery
from gateway.api.responses import AuditPage
from gateway.proxy.forward import forward
from gateway.services import services

api = Api("audit", __name__, tag="Audit log")


@api.operation(
    "get",
    "/v1/audit",
    access=("users:admin",),
    answers={200: api.json_answer(AuditPage, "Link")},
    refusals=(422,),
)
def list_audit(query: AuditQuery) -> Response:
    """Read the audit log.

    Who signed in, and who changed users, keys and webhooks, or undid or erased what; newest first.
    """
    return forward(services().auth)
