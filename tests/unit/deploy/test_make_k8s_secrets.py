import re
import stat
from pathlib import Path

import pytest

from deploy.make_k8s_secrets import DEV, write_secrets
from muster.adapters import ConfigurationError
from muster.backends.signing_key import load_key

KEYS = ("signing-key.pem", "receipt-key.pem")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    assert write_secrets(tmp_path / "secrets")
    return tmp_path / "secrets"


def test_each_example_becomes_a_file_and_names_no_variable_any_more(secrets: Path) -> None:
    examples = {path.name for path in (DEV / "secrets.example").iterdir()}
    assert {path.name for path in secrets.iterdir()} == examples | {*KEYS, "webhook-key"}
    assert not [path for path in secrets.iterdir() if "$" in path.read_text("utf-8")]


def test_both_ends_of_a_connection_get_the_same_password(secrets: Path) -> None:
    def found(name: str, pattern: str) -> str:
        match = re.search(pattern, (secrets / f"{name}.env").read_text("utf-8"))
        assert match
        return match[1]

    password = found("auth-db", "MUSTER_AUTH_PASSWORD=(.+)")
    assert password == found("auth", "mysql://auth:(.+)@auth-db")
    assert password != found("auth-migrations", "mysql://auth_migrations:(.+)@auth-db")
    for server, scheme, services in (
        ("rabbitmq", "amqp", ("auth", "dbuploader", "gateway", "notification")),
        ("mongo", "mongodb", ("dbuploader", "gateway", "notification")),
    ):
        given = {
            found(server, f"MUSTER_{server.upper()}_{each.upper()}_PASSWORD=(.+)"): each
            for each in services
        }
        shown = {found(each, f"{scheme}://{each}:(.+)@{server}"): each for each in services}
        assert given == shown
        assert len(given) == len(services)


def test_auth_and_the_loader_take_their_keys_which_are_not_the_same(secrets: Path) -> None:
    assert len({load_key(secrets / key).kid for key in KEYS}) == len(KEYS)


def test_auth_takes_the_key_as_a_pod_mounts_it_and_not_if_all_may_read_it(secrets: Path) -> None:
    key = secrets / "signing-key.pem"
    key.chmod(0o440)
    assert load_key(key)
    key.chmod(0o444)
    with pytest.raises(ConfigurationError):
        load_key(key)


def test_the_files_can_be_read_by_nobody_else(secrets: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()}
    assert (stat.S_IMODE(secrets.stat().st_mode), modes) == (0o700, {0o600})


def test_secrets_that_exist_are_never_written_over(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    assert not write_secrets(secrets)
    assert before == {path.name: path.read_bytes() for path in secrets.iterdir()}


def test_a_failure_leaves_no_secrets_behind(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    examples.mkdir()
    (examples / "one.env").write_text("URL=$UNKNOWN\n")
    with pytest.raises(KeyError):
        write_secrets(tmp_path / "secrets", examples)
    assert list(tmp_path.iterdir()) == [examples]
