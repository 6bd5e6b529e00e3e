"""The certificates of the component `tls`: for the names that are called, with what pods mount."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.k8s.tree import Tree
from tools.k8s_check.manifests import Json, Manifests

# What a Certificate of an issuer of the types CA and Vault has in its secret.
KEYS = {"ca.crt", "tls.crt", "tls.key"}


@pytest.fixture(scope="module")
def encrypted(tree: Tree) -> Manifests:
    return tree.rendered("prod with tls")


def certificates(manifests: Manifests) -> dict[str, Json]:
    """Those inside of the cluster, by their secrets' names."""
    named = {each["spec"]["secretName"]: each["spec"] for each in manifests.of("Certificate")}
    return {name: spec for name, spec in named.items() if name.startswith("tls-")}


def called(manifests: Manifests) -> set[str]:
    """The hosts of all URLs that settings have by TLS."""
    values = [value for each in manifests.of("ConfigMap") for value in each["data"].values()]
    urls = [urlsplit(value) for value in values if value.startswith("https://")]
    return {url.hostname or "" for url in urls if url.query.startswith("ca_file=")}


def test_each_name_that_is_called_is_in_the_certificate_of_the_called(encrypted: Manifests) -> None:
    names = {name: set(spec["dnsNames"]) for name, spec in certificates(encrypted).items()}
    hosts = called(encrypted)
    assert hosts >= {"auth", "dbuploader", "notification", "queries"}
    for host in (*hosts, "gateway", "rabbitmq"):
        assert host in names[f"tls-{host}"]


def mounted(manifests: Manifests) -> Iterator[tuple[str, set[str]]]:
    """The secrets of certificates that pods mount, and which of their keys."""
    for workload in manifests.workloads():
        for volume in workload.pod.get("volumes", []):
            secret = volume.get("secret", {})
            if secret.get("secretName", "").startswith("tls-"):
                yield secret["secretName"], {item["key"] for item in secret["items"]}


def test_each_key_that_is_mounted_is_in_a_secret_of_a_certificate(encrypted: Manifests) -> None:
    made, used = certificates(encrypted), [*mounted(encrypted)]
    assert {name for name, _ in used} == {*made}
    assert all(keys <= KEYS for _, keys in used)
    assert set.union(*(keys for _, keys in used)) == KEYS
