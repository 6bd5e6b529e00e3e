"""The auth service: `gunicorn -c python:muster.serving "auth.app:create_app()"`."""

from flask import Flask
from pydantic import ValidationError

from auth.access_keys import AccessKeys
from auth.accounts import Accounts
from auth.audit import AuditLog
from auth.background import Chores
from auth.cli import users_cli
from auth.errors import (
    EmailTaken,
    InvalidKey,
    InvalidKeyRequest,
    KeyNotFound,
    LastAdministrator,
    LinkNotFound,
    LinkNotValid,
    OwnPassword,
    TooManyAttempts,
    TooManyEmails,
    TooManyKeys,
    TooManyLogins,
    UserChanged,
    UserNotFound,
    WeakPassword,
    WrongCredentials,
    WrongPassword,
)
from auth.limits import GuessLimiter, LoginLimiter, PasswordChecks
from auth.links import Links
from auth.logins import Logins
from auth.outbox import EmailOutbox
from auth.passwords import Passwords, owasp_hasher
from auth.proxies import TrustedProxies, parse_networks
from auth.repository import UserStore
from auth.schema import revocations
from auth.services import Services
from auth.settings import Settings
from auth.tokens import AccessTokens
from auth.views import blueprint
from muster.backends.dependencies import once
from muster.backends.signing_key import load_keys
from muster.broker import open_broker
from muster.database import DatabaseUnavailable, open_database
from muster.http.problems import Problem, answer_with, invalid, invalid_body, unavailable
from muster.http.service import Background, Health, install_service, provide
from muster.http.tokens import authenticate_with, unauthorized
from muster.observability.logs import configure_logging
from muster.observability.telemetry import export_spans


def create_app(settings: Settings | None = None) -> Flask:
    """The service, wired but not yet connected to anything. Raises ConfigurationError.

    A signing key is made where there is none.
    """
    settings = settings or Settings()
    configure_logging("auth", settings.log_level)
    export_spans("auth")
    app = Flask("auth")
    gateways = parse_networks(settings.gateway_networks)
    app.wsgi_app = TrustedProxies(app.wsgi_app, gateways)  # type: ignore[method-assign]
    _wire(app, settings)
    app.register_blueprint(blueprint)
    app.cli.add_command(users_cli)
    _map_errors(app)
    return app


def _wire(app: Flask, settings: Settings) -> None:
    database = open_database(
        settings.auth_database_url,
        allow_multi_primary=settings.allow_multi_primary,
        trial=revocations,
    )
    store = UserStore(database)
    signing_keys = load_keys(settings.key_file)
    passwords = Passwords(owasp_hasher())
    accounts = Accounts(store, passwords, settings.token_seconds)
    tokens = AccessTokens(signing_keys, store, settings.token_seconds)
    limiter = LoginLimiter(
        settings.login_limit_per_account_and_address,
        settings.login_limit_per_address,
        settings.login_limit_per_account,
    )
    checks = PasswordChecks(settings.login_checks)
    audit = AuditLog(store, settings.audit_days)
    logins = Logins(store, accounts, passwords, limiter, checks, audit)
    most = settings.login_limit_per_address
    guesses = GuessLimiter("guesses", most)
    keys = AccessKeys(store, accounts, tokens, guesses)
    links = Links(store, accounts, guesses, GuessLimiter("password-resets", most))
    broker = open_broker(settings.broker_url)
    outbox = EmailOutbox(store, broker)
    provide(app, Background(Chores(outbox, audit).run))
    services = Services(
        settings,
        database,
        accounts,
        logins,
        tokens,
        keys,
        links,
        audit,
        outbox,
        broker,
        signing_keys,
    )
    provide(app, services)
    authenticate_with(app, tokens.verify)
    # Without tables and somebody who could log in it can do nothing. Later on each request is told.
    ready = {"auth database": once(store.check), "a user": once(accounts.check)}
    install_service(
        app, "auth", Health(ready, {"auth database": store.check, "broker": broker.check})
    )


def _map_errors(app: Flask) -> None:
    answer_with(
        app,
        {
            WrongCredentials: lambda error: unauthorized(
                str(error), 'Basic realm="muster", charset="UTF-8"'
            ),
            InvalidKey: lambda error: unauthorized(str(error)),
            UserChanged: lambda error: unauthorized(str(error)),
            LinkNotFound: lambda error: Problem("not-found", str(error)),
            LinkNotValid: lambda error: Problem("link-not-valid", str(error)),
            TooManyEmails: lambda error: Problem(
                "too-many-emails",
                str(error),
                headers={"Retry-After": str(error.seconds)},
            ),
            KeyNotFound: lambda error: Problem("not-found", str(error)),
            InvalidKeyRequest: lambda error: invalid((error.field, str(error))),
            TooManyKeys: lambda error: Problem("too-many-keys", str(error)),
            UserNotFound: lambda error: Problem("not-found", str(error)),
            EmailTaken: lambda error: Problem("email-taken", str(error)),
            LastAdministrator: lambda error: Problem("last-administrator", str(error)),
            WrongPassword: lambda error: invalid(("current_password", str(error))),
            WeakPassword: lambda error: invalid((error.field, str(error))),
            OwnPassword: lambda error: invalid(("password", str(error))),
            TooManyLogins: lambda error: Problem(
                "too-many-logins", str(error), headers={"Retry-After": "1"}
            ),
            ValidationError: invalid_body,
            TooManyAttempts: lambda error: Problem(
                "too-many-attempts",
                str(error),
                headers={"Retry-After": str(error.seconds)},
            ),
            DatabaseUnavailable: lambda _: unavailable("The auth database"),
        },
    )
