"""The secrets of endpoints, as the database keeps them."""

from base64 import b64encode
from pathlib import Path

import pytest

from muster.adapters import ConfigurationError
from notification.channels.webhook.sealing import SecretBox, SecretLost, new_secret

OLD, NEW = bytes(32), bytes([1]) * 32


def test_a_secret_is_opened_for_its_endpoint_alone() -> None:
    box, secret = SecretBox([OLD]), new_secret()
    sealed = box.seal("a", secret)
    assert secret.removeprefix("whsec_") not in sealed
    assert box.open("a", sealed) == secret
    with pytest.raises(SecretLost):
        box.open("b", sealed)


def test_another_key_seals_and_the_former_still_opens() -> None:
    sealed = SecretBox([OLD]).seal("a", "whsec_x")
    assert SecretBox([NEW, OLD]).open("a", sealed) == "whsec_x"
    with pytest.raises(SecretLost):
        SecretBox([NEW]).open("a", sealed)


def test_the_file_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "webhook-key"
    sealed = SecretBox.from_file(path).seal("a", "whsec_x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert SecretBox.from_file(path).open("a", sealed) == "whsec_x"
    path.write_bytes(b64encode(NEW) + b"\n" + path.read_bytes())
    assert SecretBox.from_file(path).open("a", sealed) == "whsec_x"
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod"):
        SecretBox.from_file(path)


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=\n", b"not base64!\n"])
def test_what_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "webhook-key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="32 random bytes"):
        SecretBox.from_file(path)
