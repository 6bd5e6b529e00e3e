"""What the views and commands of the auth service call: made once, in `auth/app.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app

from auth.access_keys import AccessKeys
from auth.accounts import Accounts
from auth.audit import AuditLog
from auth.links import Links
from auth.logins import Logins
from auth.outbox import EmailOutbox
from auth.settings import Settings
from auth.tokens import AccessTokens
from muster.backends.signing_key import SigningKey
from muster.broker import Broker
from muster.database import Database
from muster.http.service import provided


@dataclass(frozen=True)
class Services:
    """The rules of users, logins and tokens, over one database."""

    settings: Settings
    database: Database
    accounts: Accounts
    logins: Logins
    tokens: AccessTokens
    keys: AccessKeys
    links: Links
    audit: AuditLog
    outbox: EmailOutbox
    broker: Broker
    signing_keys: Sequence[SigningKey]


def services() -> Services:
    """Those of the app that answers this request, or runs this command."""
    return provided(current_app, Services)
