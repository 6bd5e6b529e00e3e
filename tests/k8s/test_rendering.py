"""Every overlay and component renders, to objects that a cluster takes."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from deploy.k8s_check.manifests import Json, name_of
from tests.k8s.sources import read
from tests.k8s.tree import ALL, COMPONENTS, OVERLAYS, Tree

SCHEMAS = Path(__file__).parent / "schemas"
# The oldest version of Kubernetes that docs/deployment.md names, and the newest with schemas here.
VERSIONS = ("1.32", "1.37")
# What prod has already, or would have twice.
NOT_FOR_PROD = {"ingress-tls", "rabbitmq-cluster", "rabbitmq-operator"}
RENDERED = [*ALL, *(f"prod with {name}" for name in COMPONENTS if name not in NOT_FOR_PROD)]
FEWEST_OBJECTS = {"dev": 80, "prod": 60}


@cache
def own_schema(kind: str) -> Json | None:
    path = SCHEMAS / f"{kind.lower()}.yaml"
    return dict(yaml.safe_load(path.read_text("utf-8"))) if path.is_file() else None


def complaints(text: str) -> list[str]:
    """What is wrong with an object, as JSON text."""
    manifest: Json = json.loads(text)
    schema = own_schema(manifest["kind"])
    if schema is not None:
        errors = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
        return [f"{error.json_path}: {error.message}" for error in errors]
    return [error for version in VERSIONS for error in _invalid(manifest, version)]


def _invalid(manifest: Json, version: str) -> list[str]:
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return [f"{version}: {error.message}"]
    return []


# Most objects are the same in all of them.
complaints_once = cache(complaints)


@pytest.fixture(scope="module", autouse=True)
def schemas_read_once() -> Iterator[None]:
    """The library reads the definitions, of megabytes, anew for each object."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("all_versions", "schema_contents"):
            patch.setattr(utils, name, cache(getattr(utils, name)))
        yield


def test_there_are_two_overlays_and_the_components() -> None:
    assert OVERLAYS == ["dev", "prod"]
    assert {
        "external-secrets",
        "gateway-api",
        "ingress-tls",
        "keda",
        "monitoring",
        "rabbitmq-operator",
    } <= set(COMPONENTS)


@pytest.mark.parametrize("name", RENDERED)
def test_all_that_it_renders_to_is_valid(tree: Tree, name: str) -> None:
    objects = tree.rendered(name).objects
    kinds = Counter(each["kind"] for each in objects)
    print(f"{name}: {len(objects)} objects, {dict(sorted(kinds.items()))}")
    assert len(objects) >= FEWEST_OBJECTS[name.split()[0]]
    found = {
        f"{each['kind']} {name_of(each)}": complaints_once(json.dumps(each, sort_keys=True))
        for each in objects
    }
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("name", RENDERED)
def test_no_object_is_there_twice(tree: Tree, name: str) -> None:
    found = Counter(
        (each["kind"], each["metadata"].get("namespace"), name_of(each))
        for each in tree.rendered(name).objects
    )
    assert [each for each, times in found.items() if times > 1] == []


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_own_schema_is_one_and_takes_no_other_field(path: Path) -> None:
    schema: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["spec"]["additionalProperties"] is False


def test_the_oldest_version_is_that_of_the_page() -> None:
    assert f"Kubernetes, {VERSIONS[0]} or newer" in read("docs/deployment.md")


def test_a_misspelt_field_is_invalid() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x"},
        "spec": {"selectors": {}},
    }
    assert complaints(json.dumps(service)) != []
