"""`flask --app auth.app users …`: managing users from a shell on the server."""

import sys
from typing import Any

import click
from flask.cli import AppGroup
from pydantic import SecretStr, ValidationError

from auth.errors import AccountError, WeakPassword
from auth.services import services
from auth.settings import Settings
from auth.users import AddUserRequest, UserChanges
from muster.database import DatabaseUnavailable
from muster.database.availability import wait_for
from muster.http.tokens import PERMISSIONS
from muster.worker.shutdown import exit_on_sigterm


class _UsersGroup(AppGroup):
    """Shows what is refused as a message, not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ValidationError as error:
            raise click.ClickException("; ".join(e["msg"] for e in error.errors())) from error
        except DatabaseUnavailable as error:
            raise click.ClickException(f"The auth database does not answer: {error}") from error
        except AccountError as error:
            raise click.ClickException(str(error)) from error


users_cli = _UsersGroup(
    "users",
    help="Manage the users of the auth database.\n\n"
    "A password is asked for without echo; without a terminal it is read from standard input, one "
    "line. It is never an argument, which other users of the machine could see.",
)
_permissions = click.argument("permissions", nargs=-1, type=click.Choice(PERMISSIONS))


def _read_password() -> SecretStr:
    if sys.stdin.isatty():
        return SecretStr(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return SecretStr(sys.stdin.readline().rstrip("\r\n"))


def _change(email: str, **changes: Any) -> None:
    user = services().accounts.find(email)
    services().accounts.change(user.id, UserChanges(**changes))


@users_cli.command("list")
def list_users() -> None:
    """List the users: email, state, permissions."""
    for user in services().accounts.all():
        state = "disabled" if user.disabled else "enabled"
        click.echo(f"{user.email}\t{state}\t{' '.join(sorted(user.permissions))}")


@users_cli.command("add")
@click.argument("email")
@_permissions
def add(email: str, permissions: tuple[str, ...]) -> None:
    """Add a user with a password and PERMISSIONS."""
    new = AddUserRequest(email=email, password=_read_password(), permissions=frozenset(permissions))
    services().accounts.add(new)
    click.echo(f"{email} is added.")


@users_cli.command("set-permissions")
@click.argument("email")
@_permissions
def set_permissions(email: str, permissions: tuple[str, ...]) -> None:
    """Give a user exactly these PERMISSIONS; none takes all away. Their tokens end."""
    _change(email, permissions=frozenset(permissions))
    click.echo(f"{email} may now: {' '.join(permissions) or 'nothing'}.")


@users_cli.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Keep a user from logging in. Their tokens end."""
    _change(email, disabled=True)
    click.echo(f"{email} is disabled.")


@users_cli.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Let a disabled user log in again."""
    _change(email, disabled=False)
    click.echo(f"{email} is enabled.")


@users_cli.command("set-password")
@click.argument("email")
def set_password(email: str) -> None:
    """Give a user another password. Their tokens end."""
    _change(email, password=_read_password())
    click.echo(f"{email} has a new password.")


@users_cli.command("delete")
@click.argument("email")
@click.confirmation_option(prompt="Delete this user for ever?")
def delete(email: str) -> None:
    """Remove a user. Their tokens end, their uploads stay."""
    services().accounts.delete(services().accounts.find(email).id)
    click.echo(f"{email} is deleted.")


@users_cli.command("ensure-admin")
def ensure_admin() -> None:
    """Add the administrator of MUSTER_ADMIN_EMAIL and MUSTER_ADMIN_PASSWORD.

    Does nothing when any enabled user has users:admin, so that it can be run at every start and
    brings nobody back whom an administrator removed. Waits for the database and its tables.
    """
    settings = services().settings
    exit_on_sigterm()
    click.echo(wait_for(lambda: _ensure_administrator(settings), settings.wait_seconds))


def _ensure_administrator(settings: Settings) -> str:
    """Says what was done; may be run again at will."""
    if any(user.administers for user in services().accounts.all()):
        return "There is an administrator already; nothing is changed."
    if not settings.admin_password:
        raise click.ClickException("Set MUSTER_ADMIN_PASSWORD to the administrator's password.")
    new = AddUserRequest(
        email=settings.admin_email,
        password=settings.admin_password,
        permissions=frozenset(PERMISSIONS),
    )
    try:
        services().accounts.add(new)
    except WeakPassword as error:
        raise click.ClickException(f"MUSTER_ADMIN_PASSWORD: {error}") from error
    return f"The administrator {settings.admin_email} is added."
