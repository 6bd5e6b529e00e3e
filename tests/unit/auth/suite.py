"""What the tests of the auth service are written with."""

from dataclasses import dataclass
from typing import Any

from argon2.exceptions import VerifyMismatchError
from flask import Flask
from pydantic import SecretStr
from werkzeug.test import TestResponse

from auth.services import Services
from auth.users import AddUserRequest, StoredUser
from muster.http.service import provided

PASSWORD = "correct horse"
OTHER_PASSWORD = "another password"
EMAIL_SECRET = "of auth and notification"


def new_user(email: str, *permissions: str, password: str = PASSWORD) -> AddUserRequest:
    return AddUserRequest(
        email=email, password=SecretStr(password), permissions=frozenset(permissions)
    )


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class PlainHasher:
    """Keeps passwords as they are, at once, and counts the checks."""

    def __init__(self) -> None:
        self.verified = 0

    def hash(self, password: str) -> str:
        return f"plain:{password}"

    def verify(self, hash: str, password: str) -> bool:
        self.verified += 1
        if hash != f"plain:{password}":
            raise VerifyMismatchError
        return True

    def check_needs_rehash(self, hash: str) -> bool:
        return not hash.startswith("plain:")


@dataclass
class AuthSuite:
    """Calls the service as the gateway does."""

    app: Flask
    admin: StoredUser
    ana: StoredUser

    def log_in(self, email: str, password: str = PASSWORD, **options: Any) -> TestResponse:
        return self.app.test_client().post("/v1/login", auth=(email, password), **options)

    def token_of(self, user: StoredUser) -> str:
        tokens = provided(self.app, Services).tokens
        return tokens.issue(user)

    def call(
        self, method: str, path: str, json: object = None, *, token: str | None = None
    ) -> TestResponse:
        """Make a call, as the administrator unless a token is given."""
        headers = {"Authorization": f"Bearer {token or self.token_of(self.admin)}"}
        return self.app.test_client().open(path, method=method, json=json, headers=headers)


def populate(app: Flask) -> AuthSuite:
    """Add an administrator and Ana, who may upload."""
    accounts = provided(app, Services).accounts
    admin = accounts.add(new_user("admin@example.com", "users:admin"))
    ana = accounts.add(new_user("Ana@Example.com", "uploads:write", "uploads:read"))
    return AuthSuite(app, admin=admin, ana=ana)
