"""Who asks, and who may: login, logout, whoami, users, keys."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import click

from muster_client.client import MusterClient
from muster_client.command.exits import DONE, CommandError
from muster_client.command.session import Session, with_session
from muster_client.models import User
from muster_client.profiles import Profile

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_USER_COLUMNS = ("id", "email", "permissions", "disabled")
_KEY_COLUMNS = ("id", "name", "permissions", "expires_at", "last_used_at")
_PERMISSION = click.option(
    "--permission",
    "permissions",
    metavar="NAME",
    multiple=True,
    help="Such as uploads:write; again for each.",
)


@click.command()
@click.argument("url")
@click.option("--email", metavar="EMAIL", help="Whose account it is.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--access-key-stdin", is_flag=True, help="Read an access key from there, in place of both."
)
@with_session
def login(
    session: Session, url: str, email: str | None, password_stdin: bool, access_key_stdin: bool
) -> int:
    """Log in to the suite at URL, and keep the token in the profile.

    The password is asked for, and never kept. A token lasts an hour; for what runs unattended, make
    an access key and log in with --access-key-stdin.
    """
    if access_key_stdin == bool(email) or (access_key_stdin and password_stdin):
        raise click.UsageError("Give either --email or --access-key-stdin.")
    address = _address(url, session)
    if email is None:
        profile = _with_key(session, address, _first_line_of_stdin())
    else:
        profile = _with_password(session, address, email, password_stdin)
    session.profiles.save(session.profile_name, profile)
    session.output.note(f"Logged in to {profile.url} as {profile.email}.")
    return DONE


@click.command()
@with_session
def logout(session: Session) -> int:
    """End the token of the profile, and forget it."""
    profile = session.profiles.find(session.profile_name)
    if profile is None:
        return DONE
    with session.client_of(profile.url, profile.token) as client:
        # An access key ends when it is revoked; a token may have ended by itself.
        if profile.expires_at and datetime.fromisoformat(profile.expires_at) > datetime.now(UTC):
            client.log_out()
    session.profiles.remove(session.profile_name)
    return DONE


@click.command()
@with_session
def whoami(session: Session) -> int:
    """Show who you are, where, and what you may do."""
    with session.client() as client:
        me = client.me()
    session.output.show(me, f"{me.email} at {client.url}: {', '.join(me.permissions)}")
    return DONE


@click.group()
def users() -> None:
    """List, add, invite, change and remove users.

    All of it takes the permission users:admin.
    """


@users.command("list")
@with_session
def list_users(session: Session) -> int:
    """List all users.

    Shown are the id, the address, the permissions, and whether the user is disabled.
    """
    with session.client() as client:
        session.output.show_all(client.users(), _USER_COLUMNS)
    return DONE


@users.command("add")
@click.argument("email")
@_PERMISSION
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_session
def add_user(
    session: Session, email: str, permissions: tuple[str, ...], password_stdin: bool
) -> int:
    """Add the user with the address EMAIL."""
    password = _password(password_stdin, confirm=True)
    with session.client() as client:
        return _show_user(session, client.add_user(email, password, permissions))


@users.command("invite")
@click.argument("email")
@_PERMISSION
@with_session
def invite_user(session: Session, email: str, permissions: tuple[str, ...]) -> int:
    """Invite somebody by an email to EMAIL.

    By the link in it they become a user, with these permissions and a password of their own. It is
    good for 24 hours, and once.
    """
    with session.client() as client:
        invited = client.invite_user(email, permissions)
    until = f"{invited.expires_at:%Y-%m-%d %H:%M} UTC"
    permitted = ", ".join(invited.permissions)
    session.output.show(invited, f"{invited.email} is invited until {until}: {permitted}")
    return DONE


@users.command("change")
@click.argument("email")
@_PERMISSION
@click.option("--disable/--enable", "disabled", default=None, help="Whether the user may log in.")
@click.option("--password-stdin", is_flag=True, help="Read a new password from standard input.")
@with_session
def change_user(
    session: Session,
    email: str,
    permissions: tuple[str, ...],
    disabled: bool | None,
    password_stdin: bool,
) -> int:
    """Change the user EMAIL.

    EMAIL is the address or id. --permission replaces all that there were.
    """
    changes: dict[str, object] = {}
    if permissions:
        changes["permissions"] = list(permissions)
    if disabled is not None:
        changes["disabled"] = disabled
    if password_stdin:
        changes["password"] = _first_line_of_stdin()
    if not changes:
        raise click.UsageError("Say what to change.")
    with session.client() as client:
        return _show_user(session, client.change_user(_user_id(client, email), **changes))


@users.command("remove")
@click.argument("email")
@with_session
def remove_user(session: Session, email: str) -> int:
    """Remove the user with the address or id EMAIL.

    Their tokens and access keys end. What they uploaded stays.
    """
    with session.client() as client:
        client.remove_user(_user_id(client, email))
    return DONE


@click.group()
def keys() -> None:
    """List, make and revoke your access keys."""


@keys.command("list")
@with_session
def list_keys(session: Session) -> int:
    """List your access keys.

    Shown are the id, the name, the permissions, when it expires, and when it was last used. The
    keys themselves are not shown.
    """
    with session.client() as client:
        session.output.show_all(client.keys(), _KEY_COLUMNS)
    return DONE


@keys.command("make")
@click.argument("name")
@_PERMISSION
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=90,
    help="It expires after so many; 90 if left out.",
)
@with_session
def make_key(session: Session, name: str, permissions: tuple[str, ...], days: int) -> int:
    """Make an access key called NAME.

    It is written to standard output, this once.
    """
    if not permissions:
        raise click.UsageError("Say what it may do, with --permission.")
    expires = datetime.now(UTC) + timedelta(days=days)
    with session.client() as client:
        key = client.make_key(name, permissions, expires.isoformat(timespec="seconds"))
    session.output.show(key, key.key or "")
    session.output.note(
        f"The key {name!r} is shown this once. Revoke it: muster keys revoke {key.id}"
    )
    return DONE


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@with_session
def revoke_key(session: Session, key_id: str) -> int:
    """End an access key.

    ID is in the first column of `muster keys list`. Within 5 seconds the key is refused everywhere.
    """
    with session.client() as client:
        client.revoke_key(key_id)
    return DONE


COMMANDS: Sequence[click.Command] = (login, logout, whoami, users, keys)


def _address(url: str, session: Session) -> str:
    parts = urlsplit(url if "//" in url else f"https://{url}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise click.UsageError(f"{url} is not the address of a suite, such as https://HOST.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        session.output.note(
            f"muster: {url} is not encrypted: others on the way can read the token."
        )
    return parts.geturl().rstrip("/")


def _with_password(session: Session, url: str, email: str, from_stdin: bool) -> Profile:
    password = _password(from_stdin, confirm=False)
    with session.client_of(url, None) as client:
        token = client.new_token(email, password)
    expires = datetime.now(UTC) + timedelta(seconds=token["expires_in"])
    return Profile(url, email, token["access_token"], expires.isoformat(timespec="seconds"))


def _with_key(session: Session, url: str, key: str) -> Profile:
    with session.client_of(url, key) as client:
        return Profile(url, client.me().email, key)


def _password(from_stdin: bool, *, confirm: bool) -> str:
    if from_stdin:
        return _first_line_of_stdin()
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for the password: --password-stdin.")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return typed


def _first_line_of_stdin() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.UsageError("Standard input is empty.")
    return line


def _user_id(client: MusterClient, email: str) -> str:
    for user in client.users():
        if email in {user.email, user.id}:
            return user.id
    raise CommandError(f"There is no user {email}.")


def _show_user(session: Session, user: User) -> int:
    disabled = " (disabled)" if user.disabled else ""
    session.output.show(user, f"{user.id}  {user.email}{disabled}: {', '.join(user.permissions)}")
    return DONE
