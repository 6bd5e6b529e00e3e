"""One-time links by email: to set a password that was forgotten, and to accept an invitation.

Auth answers. What opens a link stands in the body, never in a path or a query, which are logged.
"""

from flask import Response

from gateway.api.headers import RATE_LIMITS
from gateway.api.openapi import Api
from gateway.api.responses import (
    Invitation,
    LinkUse,
    NewInvitation,
    NewPasswordReset,
    Requested,
    User,
)
from gateway.proxy.forward import forward
from gateway.services import services

api = Api("links", __name__, tag="Accounts")


@api.operation(
    "post",
    "/v1/password-resets",
    access="public",
    answers={202: api.json_answer(Requested, *RATE_LIMITS)},
    refusals=(422, 429),
    request_body=api.json_body(NewPasswordReset),
)
def request_password_reset() -> Response:
    """Ask for a link to set a new password.

    It is sent by email, if there is such a user: the answer is the same if there is none. The link
    is good for 24 hours, and once.
    """
    return forward(services().auth, with_body=True)


@api.operation(
    "put",
    "/v1/password-resets",
    access="public",
    answers={204: None},
    refusals=(410, 422, 429),
    request_body=api.json_body(LinkUse),
)
def reset_password() -> Response:
    """Set a new password by a link.

    Tokens, access keys and other links of the user end.
    """
    return forward(services().auth, with_body=True)


@api.operation(
    "post",
    "/v1/invitations",
    access=("users:admin",),
    answers={202: api.json_answer(Invitation, *RATE_LIMITS)},
    refusals=(409, 422, 429),
    request_body=api.json_body(NewInvitation),
    by_key=False,
)
def invite_user() -> Response:
    """Invite somebody.

    They are sent a link by email by which they become a user, with these permissions and a password
    of their own. It is good for 24 hours, and once.
    """
    return forward(services().auth, with_body=True)


@api.operation(
    "put",
    "/v1/invitations",
    access="public",
    answers={201: User},
    refusals=(409, 410, 422, 429),
    request_body=api.json_body(LinkUse),
)
def accept_invitation() -> Response:
    """Accept an invitation.

    You become a user, with the password that you choose.
    """
    return forward(services().auth, with_body=True)
