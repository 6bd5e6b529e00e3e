"""`flask --app auth.app users …`."""

import pytest
from click.testing import Result
from flask import Flask
from pydantic import SecretStr

from auth.accounts import Accounts
from auth.services import Services
from auth.settings import Settings
from muster.http.service import provided
from muster.http.tokens import PERMISSIONS
from tests.unit.auth.suite import PASSWORD, AuthSuite, new_user


def run(app: Flask, *arguments: str, stdin: str = "") -> Result:
    return app.test_cli_runner().invoke(args=["users", *arguments], input=stdin)


def accounts_of(app: Flask) -> Accounts:
    return provided(app, Services).accounts


def test_a_user_is_added_with_a_password_from_standard_input(suite: AuthSuite) -> None:
    result = run(
        suite.app, "add", "bea@example.com", "rows:write", "queries:read", stdin=f"{PASSWORD}\n"
    )
    assert result.exit_code == 0, result.output
    assert suite.log_in("bea@example.com").status_code == 200
    bea = accounts_of(suite.app).find("bea@example.com")
    assert bea.permissions == {"rows:write", "queries:read"}
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (("add", "ana@example.com"), PASSWORD, "Another user has this email."),
        (("add", "bea"), PASSWORD, "not an email address"),
        (("add", "bea@example.com"), "short", "12 to 1024 characters"),
        (("add", "bea@example.com"), "", "12 to 1024 characters"),
        (("add", "bea@example.com", "root"), PASSWORD, "'root' is not one of"),
        (("disable", "nobody@example.com"), "", "no such user"),
        (("disable", "admin@example.com"), "", "last enabled user"),
        (("set-permissions", "admin@example.com"), "", "last enabled user"),
        (("delete", "admin@example.com", "--yes"), "", "last enabled user"),
        (("delete", "ana@example.com"), "n\n", "Abort"),
    ],
)
def test_what_is_refused_is_told_and_changes_nothing(
    suite: AuthSuite, arguments: tuple[str, ...], stdin: str, told: str
) -> None:
    result = run(suite.app, *arguments, stdin=stdin)
    assert result.exit_code != 0
    assert told in result.output
    assert "Traceback" not in result.output
    assert accounts_of(suite.app).all() == [suite.admin, suite.ana]


def test_users_are_listed_with_their_state(suite: AuthSuite) -> None:
    run(suite.app, "disable", "ana@example.com")
    assert run(suite.app, "list").stdout.splitlines() == [
        "admin@example.com\tenabled\tusers:admin",
        "Ana@Example.com\tdisabled\tuploads:read uploads:write",
    ]


def test_a_disabled_user_can_be_enabled(suite: AuthSuite) -> None:
    assert run(suite.app, "disable", "ana@example.com").exit_code == 0
    assert suite.log_in("ana@example.com").status_code == 401
    assert run(suite.app, "enable", "ana@example.com").exit_code == 0
    assert suite.log_in("ana@example.com").status_code == 200


def test_permissions_are_replaced(suite: AuthSuite) -> None:
    assert run(suite.app, "set-permissions", "ana@example.com", "rows:write").exit_code == 0
    assert accounts_of(suite.app).find("ana@example.com").permissions == {"rows:write"}


def test_a_password_is_replaced_and_tokens_end(suite: AuthSuite) -> None:
    token = suite.token_of(suite.ana)
    result = run(suite.app, "set-password", "ana@example.com", stdin="another password\n")
    assert result.exit_code == 0, result.output
    assert suite.log_in("ana@example.com", "another password").status_code == 200
    assert suite.call("GET", "/v1/me", token=token).status_code == 401


def test_a_user_is_deleted(suite: AuthSuite) -> None:
    assert run(suite.app, "delete", "ana@example.com", "--yes").exit_code == 0
    assert accounts_of(suite.app).all() == [suite.admin]


def test_the_first_administrator_is_added_once(app: Flask, settings: Settings) -> None:
    settings.admin_password = SecretStr(PASSWORD)
    for _ in range(2):
        result = run(app, "ensure-admin")
        assert result.exit_code == 0, result.output
        settings.admin_password = SecretStr("another password")
    (admin,) = accounts_of(app).all()
    assert admin.email == "admin@example.com"
    assert admin.permissions == set(PERMISSIONS)
    answer = app.test_client().post("/v1/login", auth=("admin@example.com", PASSWORD))
    assert answer.status_code == 200


def test_the_first_administrator_has_no_weak_password_and_one_who_is_there_goes_on(
    app: Flask, settings: Settings
) -> None:
    settings.admin_password = SecretStr("password1234")
    result = run(app, "ensure-admin")
    assert result.exit_code == 1
    assert "MUSTER_ADMIN_PASSWORD: This password is easy to guess." in result.output
    assert accounts_of(app).all() == []
    accounts_of(app).add(new_user("old@example.com", "users:admin"))
    assert run(app, "ensure-admin").exit_code == 0


def test_an_administrator_who_was_removed_does_not_come_back(
    suite: AuthSuite, settings: Settings
) -> None:
    settings.admin_email, settings.admin_password = "old@example.com", SecretStr(PASSWORD)
    assert run(suite.app, "ensure-admin").exit_code == 0
    assert accounts_of(suite.app).all() == [suite.admin, suite.ana]


def test_the_first_administrator_needs_a_password(app: Flask) -> None:
    result = run(app, "ensure-admin")
    assert result.exit_code == 1
    assert "MUSTER_ADMIN_PASSWORD" in result.output


def test_every_command_explains_itself(app: Flask) -> None:
    result = run(app, "--help")
    for command in ("list", "add", "set-permissions", "disable", "enable", "ensure-admin"):
        assert command in result.output
        assert run(app, command, "--help").exit_code == 0
