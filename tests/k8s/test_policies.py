"""The rules that hold for every manifest, and that each of them catches what it is for."""

import inspect

import pytest

from tests.k8s.mutating import Change
from tests.k8s.mutations import MUTATIONS, Rule
from tests.k8s.policies import capacity, configuration, isolation, network, probes, wiring
from tests.k8s.tree import ALL, Tree

# Components, and prod by them, use what a plain cluster does not know.
FOR_DEV_ALONE = {configuration.every_kind_is_one_of_kubernetes_itself}
# There is one of each in dev.
FOR_PROD = {capacity.who_answers_users_scales_with_the_load}
# Where there is something to spoil, if it is not dev.
SPOILED: dict[Rule, str] = {
    capacity.who_answers_users_scales_with_the_load: "prod",
    wiring.the_ingress_sends_to_ports_that_there_are: "dev with ingress",
}


def is_held_to(name: str, rule: Rule) -> bool:
    """Whether the kustomization `name` must keep the rule."""
    return (name == "dev" or rule not in FOR_DEV_ALONE) and (
        name.startswith("prod") or rule not in FOR_PROD
    )


@pytest.mark.parametrize(
    ("name", "rule"),
    [(name, rule) for name in ALL for rule in MUTATIONS if is_held_to(name, rule)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_rule_holds(tree: Tree, name: str, rule: Rule) -> None:
    assert list(rule(tree.rendered(name))) == []


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        pytest.param(rule, change, id=f"{rule.__name__}: {change}")
        for rule, changes in MUTATIONS.items()
        for change in changes
    ],
)
def test_the_rule_catches(tree: Tree, rule: Rule, change: Change) -> None:
    manifests = tree.rendered(SPOILED.get(rule, "dev"))
    assert list(rule(change.applied_to(manifests))) != []


def test_every_rule_is_held_and_has_something_to_catch() -> None:
    rules = {
        rule
        for module in (capacity, configuration, isolation, network, probes, wiring)
        for name, rule in inspect.getmembers(module, inspect.isgeneratorfunction)
        if rule.__module__ == module.__name__ and not name.startswith("_")
    }
    assert rules == set(MUTATIONS)
    assert all(MUTATIONS.values())
