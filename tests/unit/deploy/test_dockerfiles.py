"""The five Dockerfiles: of one shape, with what is pinned elsewhere pinned alike."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SERVICES = ("auth", "dbuploader", "gateway", "notification", "queries")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MEMBERS = PROJECT["tool"]["uv"]["workspace"]["members"]
# The services that keep a file of their own: a key.
OF_A_KEY = {
    "RUN install -d -m 0700 /state",
    "COPY --from=packages --chown=10001:10001 /state /var/lib/muster",
}
ONLY_IN = {
    "auth": OF_A_KEY
    | {
        "# The signing key is made here at the first start: mount a volume.",
        "ENV MUSTER_SIGNING_KEY_FILE=/var/lib/muster/signing-key.pem",
    },
    "dbuploader": OF_A_KEY
    | {
        "# The consumer makes the key of receipts here at its first start: mount a volume.",
        "ENV MUSTER_RECEIPT_KEY_FILE=/var/lib/muster/receipt-key.pem",
    },
    "notification": OF_A_KEY
    | {
        "# The key of the secrets of webhooks is made here at the first start: mount a volume.",
        "ENV MUSTER_WEBHOOK_KEY_FILE=/var/lib/muster/webhook-key",
    },
}


def dockerfile(service: str) -> str:
    return (ROOT / service / "Dockerfile").read_text("utf-8")


def shape(service: str) -> list[str]:
    lines = [
        line for line in dockerfile(service).splitlines() if line not in ONLY_IN.get(service, set())
    ]
    # The manifests of all members stand in each: a layer in common is made by the same lines.
    return [
        line if "/pyproject.toml" in line else re.sub(rf"\b{service}\b", "SERVICE", line)
        for line in lines
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_the_dockerfiles_have_one_shape(service: str) -> None:
    assert shape(service) == shape("queries")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_brings_one_service_from_the_lock_and_nothing_of_the_builder(service: str) -> None:
    assert re.findall(r"/opt/image_layer (.+)$", dockerfile(service), re.MULTILINE) == [
        "--no-install-workspace --package muster",
        f"--no-install-workspace --package muster-{service}",
        f"--no-editable --package muster-{service}",
    ]
    assert "--frozen --no-dev" in (ROOT / "deploy/image_layer").read_text("utf-8")


@pytest.mark.parametrize("service", SERVICES)
def test_a_change_of_code_changes_the_last_layer_alone(service: str) -> None:
    before, _, code = dockerfile(service).partition("FROM packages AS code\n")
    manifests = {f"{member}/pyproject.toml" for member in MEMBERS}
    sources = set(re.findall(r"^COPY (\w.*) \S+$", before, re.MULTILINE))
    assert sources == {"pyproject.toml uv.lock", "deploy/image_layer", *manifests}
    assert re.findall(r"^COPY (\w+) ", code, re.MULTILINE) == ["muster", service, "LICENSE"]
    *_, last = re.findall(r"^(?:RUN|COPY).*$", code, re.MULTILINE)
    assert last == "COPY --from=code /layer /"


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_as_a_user_by_number_who_is_not_root(service: str) -> None:
    users = re.findall(r"^USER (\d+):(\d+)$", dockerfile(service), re.MULTILINE)
    assert users == [("10001", "10001")]


def test_the_images_are_built_by_the_uv_that_the_makefile_pins() -> None:
    pinned = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"^ARG UV_VERSION=(\S+)$", dockerfile("auth"), re.MULTILINE) == pinned


def test_the_builder_gets_all_that_the_workspace_names_and_no_data() -> None:
    sent = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in sent
    for service in (*SERVICES, "muster", "deploy/image_layer", "pyproject.toml", "uv.lock"):
        assert f"!{service}" in sent
