"""An adapter is chosen by its URL's scheme; what can't be used says what to write or install."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from muster.adapters import Adapter, ConfigurationError, load_adapter, path_of
from muster.broker import open_broker
from muster.database import open_database
from muster.filestore import open_file_store
from muster.uploadstore import open_upload_store
from notification.channels.email.mailer import open_mailer

EMBEDDED: list[tuple[Callable[[str], object], str]] = [
    (open_broker, "sqlite"),
    (open_upload_store, "file"),
    (open_file_store, "file"),
    (open_database, "sqlite"),
    (open_mailer, "maildir"),
]


@pytest.mark.parametrize(("open_port", "known"), EMBEDDED)
@pytest.mark.parametrize("url", ["kafka://host", "kafka:host", "", "/some/path"])
def test_an_unknown_scheme_names_the_known_ones(
    open_port: Callable[[str], object], known: str, url: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"known are .*{known}://"):
        open_port(url)


@pytest.mark.parametrize(("open_port", "scheme"), EMBEDDED)
@pytest.mark.parametrize("rest", ["://", ":///", "://host/path"])
def test_a_url_that_names_no_file_says_how_to_write_one(
    open_port: Callable[[str], object], scheme: str, rest: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{scheme}:///"):
        open_port(scheme + rest)


@pytest.mark.parametrize(("open_port", "scheme"), EMBEDDED)
def test_opening_touches_nothing_before_the_first_use(
    open_port: Callable[[str], object], scheme: str, tmp_path: Path
) -> None:
    slashes = "////" if scheme == "sqlite" else "///"
    open_port(f"{scheme}:{slashes}{str(tmp_path).lstrip('/')}/below/it")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_driver_names_the_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapter_without_driver.py").write_text("import driver_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "adapter_without_driver", raising=False)
    adapters = {"amqp": Adapter("adapter_without_driver", "RabbitBroker", extra="rabbitmq")}
    with pytest.raises(ConfigurationError, match=r"driver_nobody_has: install muster\[rabbitmq\]"):
        load_adapter("broker", "amqp://host", adapters)


def test_a_driver_that_does_not_load_says_why_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapter_with_broken_driver.py").write_text(
        'raise ImportError("libssl.so.3: version `OPENSSL_3.2.0\' not found")\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "adapter_with_broken_driver", raising=False)
    adapters = {"mysql": Adapter("adapter_with_broken_driver", "MysqlDialect", extra="mysql")}
    with pytest.raises(
        ConfigurationError,
        match=r"mysql:// database .*OPENSSL_3\.2\.0' not found.*muster\[mysql\] again",
    ):
        load_adapter("database", "mysql://host/name", adapters)


def test_an_error_never_shows_the_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_broker("redis://user:secret@host/0")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/broker.db", "var/broker.db"),
        ("sqlite:////var/broker.db", "/var/broker.db"),
        ("file:///var/store", "/var/store"),
        ("maildir:///var/my%20mail", "/var/my mail"),
    ],
)
def test_the_path_of_a_url(url: str, path: str) -> None:
    assert path_of(url) == Path(path)
