"""Webhooks: what is called when an upload is final."""

import click

from muster_client.command.exits import DONE
from muster_client.command.session import Session, with_session
from muster_client.models import Document, Json

_COLUMNS = ("id", "url", "enabled")
_DELIVERY_COLUMNS = ("id", "state", "attempts", "upload", "reason")


@click.group()
def hooks() -> None:
    """List, add, change, remove and try your webhooks."""


@hooks.command("list")
@with_session
def list_hooks(session: Session) -> int:
    """List your webhooks.

    Shown are the id, the URL, and whether it is called.
    """
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
    """Change a webhook.

    ID is in the first column of `muster hooks list`.
    """
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
    """Remove a webhook, with its deliveries.

    ID is in the first column of `muster hooks list`. Calls that wait are not made.
    """
    with session.client() as client:
        client.remove_webhook(hook_id)
    return DONE


@hooks.command("test")
@click.argument("hook_id", metavar="ID")
@with_session
def test_hook(session: Session, hook_id: str) -> int:
    """Have a webhook called once, with a trial event.

    ID is in the first column of `muster hooks list`; `muster hooks deliveries ID` says what became
    of the call.
    """
    with session.client() as client:
        answer = client.test_webhook(hook_id)
    return _show_call(session, hook_id, answer)


@hooks.command("deliveries")
@click.argument("hook_id", metavar="ID")
@with_session
def list_deliveries(session: Session, hook_id: str) -> int:
    """List the latest calls of a webhook.

    ID is in the first column of `muster hooks list`. Shown are the id of the call, its state, how
    often it was tried, the upload, and why it failed.
    """
    with session.client() as client:
        session.output.show_all(client.deliveries(hook_id).items, _DELIVERY_COLUMNS)
    return DONE


@hooks.command("replay")
@click.argument("hook_id", metavar="ID")
@click.argument("delivery_id", metavar="DELIVERY")
@with_session
def replay_delivery(session: Session, hook_id: str, delivery_id: str) -> int:
    """Have a webhook called again with the event of an earlier call.

    ID is that of the webhook, DELIVERY that of the call: `muster hooks deliveries ID` lists them.
    """
    with session.client() as client:
        answer = client.replay_delivery(hook_id, delivery_id)
    return _show_call(session, hook_id, answer)


COMMANDS = (hooks,)


def _show_call(session: Session, hook_id: str, answer: Json) -> int:
    line = f"The call is on its way: muster hooks deliveries {hook_id}"
    session.output.show(Document(answer), line)
    return DONE
