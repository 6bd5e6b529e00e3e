"""Settings that hold a secret: taken from files, and shown nowhere."""

import traceback
from importlib import import_module
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from embedded.settings import EmbeddedSettings
from muster.adapters import ConfigurationError
from muster.settings import ServiceSettings, WorkerSettings, read_settings, secrets_of

SECRET = "amqp://muster:correct-horse@rabbitmq/%2F"
SERVICES = ("auth", "dbuploader", "gateway", "notification", "queries")
ALL: list[type[BaseSettings]] = [
    *(import_module(f"{each}.settings").Settings for each in SERVICES),
    EmbeddedSettings,
]
# Where another service answers, or people do: such a URL has no password.
OPEN = {"auth_url", "queries_url", "dbuploader_url", "notification_url", "public_url"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MUSTER_BROKER_URL", raising=False)
    monkeypatch.setenv("MUSTER_BROKER_URL_FILE", str(tmp_path / "broker-url"))
    return tmp_path / "broker-url"


@pytest.mark.parametrize("settings", ALL, ids=lambda each: str(each.__module__))
def test_every_url_of_a_backend_and_every_secret_word_may_stand_in_a_file(
    settings: type[BaseSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {
        name
        for name in settings.model_fields
        if name.endswith(("_url", "_secret", "_password")) and name not in OPEN
    }
    assert secrets_of(settings) == secret
    for name in secret:
        monkeypatch.delenv(f"MUSTER_{name.upper()}", raising=False)
        monkeypatch.setenv(f"MUSTER_{name.upper()}_FILE", str(tmp_path / name))
        (tmp_path / name).write_text(f"secret of {name}\n")
    found = settings().model_dump()
    for name in secret:
        value = found[name]
        assert (
            getattr(value, "get_secret_value", lambda value=value: value)() == f"secret of {name}"
        )


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_the_last_line_break_is_cut_and_no_other_blank(file: Path, ending: str) -> None:
    file.write_bytes(f"{SECRET} \n{ending}".encode())
    assert WorkerSettings().broker_url == f"{SECRET} \n".removesuffix("" if ending else "\n")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "can't be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (SECRET.encode() + b"\xff", "holds no UTF-8"),
        (SECRET.encode() * 2000, "has more than 65536 bytes"),
    ],
)
def test_a_file_that_can_not_be_taken_is_refused_by_name_and_never_shown(
    file: Path, content: bytes | None, why: str
) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        WorkerSettings()
    assert str(caught.value) == f"MUSTER_BROKER_URL_FILE names {file}, which {why}."
    assert "correct-horse" not in "".join(traceback.format_exception(caught.value))


def test_a_directory_is_no_file(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigurationError, match=r"can't be read: Is a directory\.$"):
        WorkerSettings()


def test_the_variable_and_its_file_are_refused_together(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(SECRET)
    monkeypatch.setenv("MUSTER_BROKER_URL", "")
    assert WorkerSettings().broker_url == SECRET
    monkeypatch.setenv("MUSTER_BROKER_URL", SECRET)
    with pytest.raises(ConfigurationError) as caught:
        WorkerSettings()
    assert "MUSTER_BROKER_URL and MUSTER_BROKER_URL_FILE are both set" in str(caught.value)
    assert "correct-horse" not in str(caught.value)


def test_a_variable_that_names_no_file_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_BROKER_URL_FILE", "")
    assert WorkerSettings(home=tmp_path).broker_url == f"sqlite:///{tmp_path}/broker.db"


def test_settings_do_not_show_their_secrets(file: Path) -> None:
    file.write_text(SECRET)
    settings = WorkerSettings()
    assert "correct-horse" not in f"{settings!r} {settings}"
    assert "broker_url='**********'" in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MUSTER_STUCK_SECONDS", "correct-horse", "relay: MUSTER_STUCK_SECONDS: Input should be"),
        ("MUSTER_BROKER_URL_FILE", "/nowhere", "relay: MUSTER_BROKER_URL_FILE names /nowhere"),
    ],
)
def test_a_process_with_a_setting_that_can_not_be_used_ends_with_one_sentence(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUSTER_BROKER_URL", raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        read_settings(WorkerSettings, "relay")
    assert str(caught.value).startswith(sentence)
    assert "correct-horse" not in str(caught.value)


def test_what_every_service_reads_is_no_secret() -> None:
    assert secrets_of(ServiceSettings) == set()
