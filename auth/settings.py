"""The auth service's settings, from environment variables."""

from pathlib import Path

from limits import parse_many
from pydantic import Field, field_validator

from auth.proxies import parse_networks
from muster.settings import SchemaSettings, SecretUrl, SecretWord


class Settings(SchemaSettings):
    """What the auth service reads beside the settings of every service."""

    auth_database_url: SecretUrl = Field(
        default="", description="The database of users. Default: sqlite, auth.db in MUSTER_HOME."
    )
    signing_key_file: Path | None = Field(
        default=None,
        description="The Ed25519 key that signs tokens, as PEM, and below it those whose tokens "
        "are taken, too; made at first start if absent. "
        "Default: signing-key.pem in MUSTER_HOME.",
    )
    token_seconds: int = Field(default=3600, gt=0, description="How long an access token is valid.")
    login_limit_per_account_and_address: str = Field(
        default="10 per 10 minutes",
        description="Failed logins of one account from one address before they are refused.",
    )
    login_limit_per_account: str = Field(
        default="100 per hour",
        description="Failed logins of one account before addresses are refused that its user has "
        "not logged in from before.",
    )
    login_checks: int = Field(
        default=4, ge=2, description="Passwords that are checked at once, at 19 MiB each."
    )
    gateway_networks: str = Field(
        default="127.0.0.0/8,::1/128",
        description="Networks, comma separated, from which X-Forwarded-For is believed: where the "
        "gateway is.",
    )
    login_limit_per_address: str = Field(
        default="60 per minute",
        description="Failed logins from one address before it is refused; and, apart, guesses of "
        "keys and links, and requests for links.",
    )
    admin_email: str = Field(
        default="admin@example.com", description="The administrator that `ensure-admin` adds."
    )
    admin_password: SecretWord = Field(
        default=None, description="The password that `ensure-admin` gives that administrator."
    )

    broker_url: SecretUrl = Field(
        default="", description="The message broker. Default: sqlite, broker.db in MUSTER_HOME."
    )
    email_secret: SecretWord = Field(
        default=None,
        description="What notification shows auth to fetch an email with a one-time link; without "
        "it none can be sent.",
    )

    audit_days: int = Field(
        default=365, ge=1, description="For how many days an entry of the audit log is kept."
    )

    @field_validator(
        "login_limit_per_account_and_address", "login_limit_per_account", "login_limit_per_address"
    )
    @classmethod
    def _is_one_limit(cls, value: str) -> str:
        if len(parse_many(value)) != 1:
            raise ValueError("give one limit, such as '10 per minute'")
        return value

    @field_validator("gateway_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @property
    def key_file(self) -> Path:
        """Where the signing key is."""
        return self.signing_key_file or self.home / "signing-key.pem"
