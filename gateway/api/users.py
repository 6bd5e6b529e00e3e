"""Login, one's own account and the users: auth answers."""

# ruff: noqa: ARG001 - parameters that only the answering service needs are checked here too.

from flask import Response, g

from gateway.api.headers import RATE_LIMITS, named
from gateway.api.openapi import ANY_TOKEN, Access, Api
from gateway.api.requests import UserPath
from gateway.api.responses import (
    Me,
    NewUser,
    OwnChange,
    PasswordChange,
    Token,
    User,
    UserChange,
    Users,
)
from gateway.proxy.forward import forward
from gateway.services import services

api = Api("accounts", __name__, tag="Accounts")

_ADMIN: Access = ("users:admin",)
_TOKEN = {
    "description": "A token; with `Accept: text/plain` nothing but the token.",
    "headers": named(*RATE_LIMITS),
    "content": {
        "application/json": {"schema": api.schema_of(Token)},
        "text/plain": {"schema": {"type": "string"}},
    },
}


@api.operation("post", "/v1/login", access="basic", answers={200: _TOKEN}, refusals=(406, 429))
def log_in() -> Response:
    """Log in.

    By HTTP Basic, with email address and password. Send the token as `Authorization: Bearer`
    with other requests, for as long as `expires_in` says. With `Accept: text/plain` the answer is
    the token and nothing else.
    """
    return forward(services().auth)


@api.operation("post", "/v1/logout", access=ANY_TOKEN, answers={204: None}, by_key=False)
def log_out() -> Response:
    """Log out.

    The token of this request ends: here at once, everywhere within 5 seconds.
    """
    response = forward(services().auth)
    if response.status_code == 204:
        services().tokens.end(g.principal)
    return response


@api.operation("get", "/v1/me", access=ANY_TOKEN, answers={200: Me})
def who_am_i() -> Response:
    """Show my account.

    Who you are, what you may do, and which emails you get.
    """
    return forward(services().auth)


@api.operation(
    "patch",
    "/v1/me",
    access=ANY_TOKEN,
    answers={200: Me},
    refusals=(422,),
    request_body=api.json_body(OwnChange),
)
def change_me() -> Response:
    """Change my account.

    Choose which emails about your uploads you get.
    """
    return forward(services().auth, with_body=True)


@api.operation(
    "post",
    "/v1/me/password",
    access=ANY_TOKEN,
    answers={204: None},
    refusals=(422, 429),
    request_body=api.json_body(PasswordChange),
    by_key=False,
)
def change_password() -> Response:
    """Change my password.

    All older tokens end, and so do your access keys.
    """
    return forward(services().auth, with_body=True)


@api.operation("get", "/v1/users", access=_ADMIN, answers={200: Users})
def list_users() -> Response:
    """List the users.

    All of them, those who are disabled too.
    """
    return forward(services().auth)


@api.operation(
    "post",
    "/v1/users",
    access=_ADMIN,
    answers={201: User},
    refusals=(409, 422),
    request_body=api.json_body(NewUser),
    by_key=False,
)
def add_user() -> Response:
    """Add a user.

    They can log in at once with this password. To let them choose their own, invite them instead.
    """
    return forward(services().auth, with_body=True)


@api.operation("get", "/v1/users/<id>", access=_ADMIN, answers={200: User}, refusals=(404,))
def get_user(path: UserPath) -> Response:
    """Show a user.

    Who they are and what they may do.
    """
    return forward(services().auth)


@api.operation(
    "patch",
    "/v1/users/<id>",
    access=_ADMIN,
    answers={200: User},
    refusals=(404, 409, 422),
    request_body=api.json_body(UserChange),
    by_key=False,
)
def change_user(path: UserPath) -> Response:
    """Change a user.

    Their permissions or password, or whether they are disabled. What is left out stays as it is.
    """
    return forward(services().auth, with_body=True)


@api.operation(
    "delete",
    "/v1/users/<id>",
    access=_ADMIN,
    answers={204: None},
    refusals=(404, 409),
    by_key=False,
)
def delete_user(path: UserPath) -> Response:
    """Delete a user.

    Their tokens and access keys end. What they uploaded stays.
    """
    return forward(services().auth)
