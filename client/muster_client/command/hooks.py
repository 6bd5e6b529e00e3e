"""Webhooks: what is called when an upload is final."""

import click

from muster_client.command.exits import DONE
from muster_client.command.session import Session, with_session
from muster_client.models import Document

_COLUMNS = ("id", "url", "enabled")
_DELIVERY_COLUMNS = ("id", "state", "attempts", "upload", "reason")


@click.group()
def hooks() -> None:
    """List, add, change and try your webhooks."""


@hooks.command("list")
@with_session
def list_hooks(session: Session) -> int:
    """List your webhooks."""
    with session.client() as client:
        session.output.show_all(client.webhooks(), _COLUMNS)
    return DONE


@hooks.command("add")
@click.argument("url")
@with_session
def add_hook(session: Session, url: str) -> int:
    """Have URL called.

    The secret that signs the calls is written to standard output, this once.
    """
    with session.client() as client:
        hook = client.add_webhook(url)
    session.output.show(hook, hook.secret or "")
    session.output.note(f"The secret of the webhook {hook.id} is shown this once.")
    return DONE


@hooks.command("change")
@click.argument("hook_id", metavar="ID")
@click.option("--url", metavar="URL", help="What to call from now on.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is called.")
@with_session
def change_hook(session: Session, hook_id: str, url: str | None, enabled: bool | None) -> int:
    """Change a webhook."""
    asked = {"url": url, "enabled": enabled}
    changes = {name: value for name, value in asked.items() if value is not None}
    if not changes:
        raise click.UsageError("Say what to change: --url, --disable or --enable.")
    with session.client() as client:
        hook = client.change_webhook(hook_id, **changes)
    session.output.show(hook, f"{hook.id}  {hook.url}{'' if hook.enabled else ' (disabled)'}")
    return DONE


@hooks.command("remove")
@click.argument("hook_id", metavar="ID")
@with_session
def remove_hook(session: Session, hook_id: str) -> int:
    """Remove a webhook."""
    with session.client() as client:
        client.remove_webhook(hook_id)
    return DONE


@hooks.command("test")
@click.argument("hook_id", metavar="ID")
@with_session
def test_hook(session: Session, hook_id: str) -> int:
    """Have a webhook called once, with a trial event."""
    with session.client() as client:
        answer = client.test_webhook(hook_id)
    session.output.show(Document(answer), "The call is on its way: muster hooks deliveries")
    return DONE


@hooks.command("deliveries")
@click.argument("hook_id", metavar="ID")
@with_session
def list_deliveries(session: Session, hook_id: str) -> int:
    """List the latest calls of a webhook."""
    with session.client() as client:
        session.output.show_all(client.deliveries(hook_id).items, _DELIVERY_COLUMNS)
    return DONE


@hooks.command("replay")
@click.argument("hook_id", metavar="ID")
@click.argument("delivery_id", metavar="DELIVERY")
@with_session
def replay_delivery(session: Session, hook_id: str, delivery_id: str) -> int:
    """Have a webhook called again with the event of an earlier call."""
    with session.client() as client:
        answer = client.replay_delivery(hook_id, delivery_id)
    session.output.show(Document(answer), "The call is on its way: muster hooks deliveries")
    return DONE


COMMANDS = (hooks,)
