"""The notification service's settings, from environment variables."""

from email.errors import HeaderParseError
from email.message import EmailMessage
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from pydantic import Field, field_validator

from muster.settings import SchemaSettings, SecretUrl, SecretWord, WorkerSettings


def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks in `text`, comma separated. Raises ValueError."""
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


class Settings(WorkerSettings, SchemaSettings):
    """What the notification service reads beside the settings of every service."""

    smtp_url: SecretUrl = Field(
        default="", description="Where mail is handed over. Default: maildir, mail in MUSTER_HOME."
    )
    mail_from: str = Field(
        default="Muster <muster@localhost>",
        description="The sender of the emails: one address, with or without a name.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8080",
        description="Where users reach the gateway; it stands in the commands of the emails.",
    )

    email_secret: SecretWord = Field(
        default=None,
        description="What is shown auth to fetch an email with a one-time link; without it none "
        "can be sent.",
    )

    notification_database_url: SecretUrl = Field(
        default="",
        description="The database of webhooks. Default: sqlite, notification.db in MUSTER_HOME.",
    )
    webhook_key_file: Path | None = Field(
        default=None,
        description="The keys that encrypt the secrets of webhooks, one a line; made at first "
        "start if absent. Default: webhook-key in MUSTER_HOME.",
    )
    webhook_allow: str = Field(
        default="",
        description="Networks, comma separated, that webhooks may call though they are not public; "
        "there also by http and at any port.",
    )
    webhook_forbid: str = Field(
        default="",
        description="Networks, comma separated, that webhooks may not call though they are public.",
    )

    @property
    def webhook_keys(self) -> Path:
        """Where the keys are that encrypt secrets."""
        return self.webhook_key_file or self.home / "webhook-key"

    @field_validator("webhook_allow", "webhook_forbid")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_one_address(cls, value: str) -> str:
        message = EmailMessage()
        try:
            message["From"] = value
            header = message["From"]
            (address,) = header.addresses
        except (HeaderParseError, IndexError, ValueError) as error:
            raise ValueError("write one address, such as Muster <muster@example.com>") from error
        if header.defects or not address.domain or not address.addr_spec.isascii():
            raise ValueError("write one address in ASCII, such as Muster <muster@example.com>")
        return value

    @field_validator("public_url")
    @classmethod
    def _has_no_last_slash(cls, value: str) -> str:
        return value.rstrip("/")
