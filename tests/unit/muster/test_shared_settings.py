"""What a service finds in its environment, and what it takes where nothing is said."""

from pathlib import Path

import pytest
from pydantic import Field

from muster.broker import open_broker
from muster.settings import ServiceSettings
from muster.uploadstore import open_upload_store
from notification.channels.email.mailer import open_mailer


class Settings(ServiceSettings):
    broker_url: str = Field(default="", description="The broker.")
    csv_store_url: str = Field(default="", description="The CSV store.")
    smtp_url: str = Field(default="", description="The mail.")


@pytest.fixture(autouse=True)
def no_muster_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "BROKER_URL", "CSV_STORE_URL", "SMTP_URL", "LOG_LEVEL", "AUTH_URL"):
        monkeypatch.delenv(f"MUSTER_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_urls_left_out_are_the_embedded_ones_below_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MUSTER_HOME", str(tmp_path / "home"))
    settings = Settings()
    assert settings.broker_url == f"sqlite:///{tmp_path}/home/broker.db"
    assert settings.csv_store_url == f"file:///{tmp_path}/home/store"
    assert settings.smtp_url == f"maildir:///{tmp_path}/home/mail"


def test_home_left_out_is_var_below_the_working_directory(tmp_path: Path) -> None:
    assert Settings().broker_url == f"sqlite:///{tmp_path}/var/broker.db"


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_BROKER_URL", "")
    assert Settings().broker_url.startswith("sqlite:///")


def test_a_url_in_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_BROKER_URL", "amqp://host/muster")
    settings = Settings()
    assert settings.broker_url == "amqp://host/muster"
    assert settings.csv_store_url.startswith("file:///")


def test_the_embedded_urls_are_ones_that_the_ports_open() -> None:
    settings = Settings()
    open_broker(settings.broker_url).close()
    open_upload_store(settings.csv_store_url).close()
    open_mailer(settings.smtp_url)
