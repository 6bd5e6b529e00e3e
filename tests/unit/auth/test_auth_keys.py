"""The signing key: its file and its public half."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from threading import Barrier

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from auth.app import create_app
from auth.services import Services
from auth.settings import Settings
from auth.tokens import AccessTokens
from muster.adapters import ConfigurationError
from muster.backends.signing_key import SigningKey, load_key
from muster.http.service import provided
from muster.http.tokens import InvalidToken, KeysUnavailable, TokenVerifier
from tests.unit.auth.suite import AuthSuite


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "signing-key.pem"
    first = load_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).kid == first.kid
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_at_once_use_one_key(tmp_path: Path) -> None:
    together = Barrier(8)

    def start(_: int) -> str:
        together.wait()
        return load_key(tmp_path / "key.pem").kid

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o660, 0o606])
def test_a_key_that_others_have_access_to_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    load_key(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_key(path)


def test_a_key_mounted_for_the_group_of_a_pod_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    kid = load_key(path).kid
    path.chmod(0o440)
    assert load_key(path).kid == kid


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        generate_private_key(65537, 2048).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    ],
    ids=["empty", "nonsense", "an RSA key"],
)
def test_a_file_that_holds_no_such_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="key"):
        load_key(path)


def test_the_service_does_not_start_without_its_key(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    settings = Settings(home=tmp_path, signing_key_file=blocked / "key.pem")
    with pytest.raises(ConfigurationError):
        create_app(settings)


def test_the_key_id_is_the_thumbprint() -> None:
    # The key of RFC 8037, appendix A.1, and its thumbprint, appendix A.3.
    seed = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(seed))
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_published_key_has_no_private_half(app: Flask) -> None:
    answer = app.test_client().get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "max-age=300"
    assert answer.json is not None
    (key,) = answer.json["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")


def test_every_key_of_the_file_is_published(tmp_path: Path) -> None:
    old, new = (load_key(tmp_path / name) for name in ("old.pem", "new.pem"))
    file = tmp_path / "keys.pem"
    file.touch(0o600)
    file.write_bytes(b"\n".join((tmp_path / name).read_bytes() for name in ("new.pem", "old.pem")))
    assert load_key(file).kid == new.kid
    app = create_app(Settings(home=tmp_path, signing_key_file=file))
    answer = app.test_client().get("/.well-known/jwks.json")
    assert answer.json is not None
    assert [each["kid"] for each in answer.json["keys"]] == [new.kid, old.kid]


def test_a_damaged_key_below_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    load_key(path)
    damaged = b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"
    path.write_bytes(path.read_bytes() + damaged)
    with pytest.raises(ConfigurationError, match="no private key"):
        load_key(path)


def test_a_key_is_replaced_in_steps_in_which_no_replica_refuses_a_token(
    suite: AuthSuite, tmp_path: Path
) -> None:
    old, new = (load_key(tmp_path / name) for name in ("old.pem", "new.pem"))
    store = provided(suite.app, Services).tokens._store
    before, known, signing, after = (
        AccessTokens(keys, store, 3600) for keys in ([old], [old, new], [new, old], [new])
    )
    # While each step is rolled out, replicas of both kinds issue and check.
    for former, later in ((before, known), (known, signing)):
        for issuing, checking in product((former, later), repeat=2):
            assert checking.verify(issuing.issue(suite.ana)).id == suite.ana.id
    for issuing, checking in product((signing, after), repeat=2):
        assert checking.verify(issuing.issue(suite.ana)).id == suite.ana.id
    # By then the tokens of the old key have ended by themselves; one that a thief makes is refused.
    with pytest.raises(InvalidToken):
        after.verify(known.issue(suite.ana))


@pytest.fixture
def published(suite: AuthSuite, monkeypatch: pytest.MonkeyPatch) -> requests.Response:
    """What others get of the suite's keys; with another status, auth is away."""
    response = requests.Response()
    response.status_code = 200
    response._content = suite.app.test_client().get("/.well-known/jwks.json").data
    monkeypatch.setattr(requests.Session, "get", lambda *_, **__: response)
    return response


def test_the_other_services_verify_with_the_published_key(
    suite: AuthSuite, published: requests.Response
) -> None:
    principal = TokenVerifier("http://auth").verify(suite.token_of(suite.ana))
    assert (principal.id, principal.email) == (suite.ana.id, "Ana@Example.com")
    assert principal.may("uploads:write")


def test_the_keys_that_a_service_has_are_kept_while_auth_is_away(
    suite: AuthSuite, published: requests.Response, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    verifier = TokenVerifier("http://auth")
    published.status_code = 503
    with pytest.raises(KeysUnavailable):
        verifier.check()
    published.status_code = 200
    verifier.check()
    published.status_code = 503
    # Longer than a set of keys is kept otherwise.
    for _ in range(10):
        now[0] += 100.0
        verifier.check()
        verifier.verify(suite.token_of(suite.ana))
