"""Login, one's own account and the users: auth answers."""

# ruff: noqa: ARG001 - parameters that only the answering service needs are checked here too.

from flask import Response, g

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

api = Api("accounts", __name__, abp_tags=[{"name": "Accounts"}])

_ADMIN: Access = ("users:admin",)
_TOKEN = {
    "description": "A token; with `Accept: text/plain` nothing but the token.",
    "content": {
        "application/json": {"schema": api.schema_of(Token)},
        "text/plain": {"schema": {"type": "string"}},
    },
}


@api.operation("post", "/v1/login", access="basic", answers={200: _TOKEN}, refusals=(429,))
def log_in() -> Response:
    """Log in with email address and password by HTTP Basic."""
    return forward(services().auth)


@api.operation("post", "/v1/logout", access=ANY_TOKEN, answers={204: None}, by_key=False)
def log_out() -> Response:
    """End this token: here at once, everywhere within 5 seconds."""
    response = forward(services().auth)
    if response.status_code == 204:
        services().tokens.end(g.principal)
    return response


@api.operation("get", "/v1/me", access=ANY_TOKEN, answers={200: Me})
def who_am_i() -> Response:
    """Who I am, what I may do, and which emails I get."""
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
    """Choose which emails I get."""
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
    """Change my password; older tokens end."""
    return forward(services().auth, with_body=True)


@api.operation("get", "/v1/users", access=_ADMIN, answers={200: Users})
def list_users() -> Response:
    """All users."""
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
    """Add a user."""
    return forward(services().auth, with_body=True)


@api.operation("get", "/v1/users/<id>", access=_ADMIN, answers={200: User}, refusals=(404,))
def get_user(path: UserPath) -> Response:
    """One user."""
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
    """Change permissions or password of a user, or disable them."""
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
    """Delete a user."""
    return forward(services().auth)
