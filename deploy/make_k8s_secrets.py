"""`make k8s-secrets`: writes the secrets of the overlay `dev`, as files for kustomize.

`python -m deploy.make_k8s_secrets [DIRECTORY]`. A directory that exists stays as it is.
"""

import base64
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from string import Template

from deploy.make_env import EXAMPLE, with_secrets

DEV = Path(__file__).parents[1] / "k8s" / "overlays" / "dev"
# That of auth's tokens, and that of the loader's receipts.
_KEYS = ("signing-key.pem", "receipt-key.pem")
# What encrypts the secrets of webhooks.
_WEBHOOK_KEY = "webhook-key"
# PrivateKeyInfo of an Ed25519 key, up to its 32 random bytes: RFC 8410, section 7.
_ED25519 = bytes.fromhex("302e020100300506032b657004220420")


def new_passwords() -> dict[str, str]:
    """What docker-compose.yml takes from `.env`: each name's value, a random one for a secret."""
    lines = with_secrets(EXAMPLE.read_text("utf-8")).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")


def new_signing_key() -> str:
    """A private Ed25519 key in PEM (RFC 7468)."""
    body = base64.b64encode(_ED25519 + secrets.token_bytes(32)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


def write_secrets(directory: Path, examples: Path = DEV / "secrets.example") -> bool:
    """Make `directory`, readable by nobody else, with a file for each of `examples` and the keys.

    It appears with all of its files or not at all. Returns whether it was not there before.
    """
    if directory.exists():
        return False
    passwords = new_passwords()
    unfinished = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        for example in sorted(examples.glob("*.env")):
            text = Template(example.read_text("utf-8")).substitute(passwords)
            _write(unfinished / example.name, text)
        for key in _KEYS:
            _write(unfinished / key, new_signing_key())
        webhook_key = base64.b64encode(secrets.token_bytes(32)).decode()
        _write(unfinished / _WEBHOOK_KEY, f"{webhook_key}\n")
        unfinished.rename(directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return True


def _write(path: Path, text: str) -> None:
    path.touch(0o600, exist_ok=False)
    path.write_text(text, "utf-8")


def main() -> None:
    """Make the directory named on the command line, or the overlay's, and say what was done."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEV / "secrets"
    print(f"{path} is made, with random secrets" if write_secrets(path) else f"{path} is kept")


if __name__ == "__main__":
    main()
