"""The licence: its text is the official one, and whatever names a licence names that."""

import re
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.settings import Settings

ROOT = Path(__file__).parents[3]
IDENTIFIER = "Apache-2.0"
# Of https://www.apache.org/licenses/LICENSE-2.0.txt: whoever uses Muster need not read it again.
OFFICIAL_TEXT = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
PACKAGES = sorted(ROOT.glob("*/pyproject.toml"))
DOCKERFILES = sorted(ROOT.glob("*/Dockerfile"))


def test_the_text_is_the_official_one() -> None:
    assert sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == OFFICIAL_TEXT


@pytest.mark.parametrize(
    "file", [ROOT / "pyproject.toml", *PACKAGES], ids=lambda file: str(file.relative_to(ROOT))
)
def test_every_package_names_it(file: Path) -> None:
    assert tomllib.loads(file.read_text("utf-8"))["project"].get("license") == IDENTIFIER


def test_the_openapi_document_names_it(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path))
    info = app.test_client().get("/openapi.json").get_json()["info"]
    assert info.get("license") == {"name": "Apache License 2.0", "identifier": IDENTIFIER}


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_every_image_names_it_and_brings_its_text(file: Path) -> None:
    final = file.read_text("utf-8").rpartition("\nFROM ")[2]
    named = re.findall(r"^LABEL org\.opencontainers\.image\.licenses=(\S+)$", final, re.MULTILINE)
    assert named == [IDENTIFIER]
    assert "\nCOPY LICENSE /app/\n" in final
    assert "!LICENSE" in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
