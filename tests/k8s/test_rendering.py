"""Every overlay and component renders, to objects that a cluster takes."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from tests.k8s.mutations import MUTATIONS
from tests.k8s.sources import read
from tests.k8s.test_policies import is_held_to
from tests.k8s.tree import ALL, K8S, OVERLAYS, SAMPLE, Tree
from tools.k8s_check.manifests import Json, Manifests, name_of
from tools.k8s_check.subsets import ALL_SUBSETS, COMPONENTS, INCLUDED, subsets

SCHEMAS = Path(__file__).parent / "schemas"
# The oldest version of Kubernetes that docs/deployment.md names, and the newest with schemas here.
VERSIONS = ("1.32", "1.37")
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


def test_the_overlays_and_components_are_those_that_there_are() -> None:
    assert sorted(each.name for each in (K8S / "overlays").iterdir()) == OVERLAYS
    assert tuple(sorted(each.name for each in (K8S / "components").iterdir())) == COMPONENTS
    for overlay, included in INCLUDED.items():
        kustomization = yaml.safe_load(read(f"k8s/overlays/{overlay}/kustomization.yaml"))
        named = {Path(each).name for each in kustomization.get("components", [])}
        assert named == included


def test_the_page_lists_the_components_in_the_order_in_which_they_are_added() -> None:
    table = read("docs/deployment.md").partition("\n## Components\n")[2].partition("\n**What")[0]
    assert tuple(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)) == COMPONENTS


def test_every_two_components_are_rendered_together_where_that_makes_sense() -> None:
    for overlay in OVERLAYS:
        there = [set(each) for each in subsets(overlay)]
        shown = [set(re.split(" with | and ", name)[1:]) for name in SAMPLE if overlay in name]
        for pair in combinations(COMPONENTS, 2):
            together = [set(pair) <= each for each in there]
            assert any(together) is any(set(pair) <= each for each in shown), pair


@pytest.mark.chaos
@pytest.mark.parametrize("name", ALL_SUBSETS)
def test_every_subset_of_the_components_is_valid_and_keeps_the_rules(tree: Tree, name: str) -> None:
    manifests = render_fresh(tree, name)
    assert wrong_of(manifests.objects) == {}
    assert twice(manifests.objects) == []
    broken = [text for rule in MUTATIONS if is_held_to(name, rule) for text in rule(manifests)]
    assert broken == []


def render_fresh(tree: Tree, name: str) -> Manifests:
    """Not remembered: there are many."""
    return tree.rendered.__wrapped__(name)


def wrong_of(objects: list[Json]) -> dict[str, list[str]]:
    """What is wrong with objects, by what they are."""
    found = {
        f"{each['kind']} {name_of(each)}": complaints_once(json.dumps(each, sort_keys=True))
        for each in objects
    }
    return {name: wrong for name, wrong in found.items() if wrong}


def twice(objects: list[Json]) -> list[tuple[str, str | None, str]]:
    """The objects that are there more than once."""
    found = Counter(
        (each["kind"], each["metadata"].get("namespace"), name_of(each)) for each in objects
    )
    return [each for each, times in found.items() if times > 1]


@pytest.mark.parametrize("name", ALL)
def test_all_that_it_renders_to_is_valid(tree: Tree, name: str) -> None:
    objects = tree.rendered(name).objects
    kinds = Counter(each["kind"] for each in objects)
    print(f"{name}: {len(objects)} objects, {dict(sorted(kinds.items()))}")
    assert len(objects) >= FEWEST_OBJECTS[name.split()[0]]
    assert wrong_of(objects) == {}
    assert twice(objects) == []


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
