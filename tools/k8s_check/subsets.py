"""Which components make sense together, on which overlay, and why the others don't."""

from collections.abc import Iterator
from itertools import combinations

COMPONENTS = (
    "external-secrets",
    "gateway-api",
    "ingress",
    "keda",
    "monitoring",
    "mysql-group",
    "rabbitmq-cluster",
    "rabbitmq-operator",
    "s3",
    "tls",
    "tracing",
)
"""In the order in which they are listed: one takes the place of those before it."""

INCLUDED = {"dev": frozenset[str](), "prod": frozenset({"gateway-api", "rabbitmq-cluster"})}
"""The overlays, and the components that each has itself."""

ONE_OF = {
    frozenset({"gateway-api", "ingress"}): "each is the way in, and the second replaces the first",
    frozenset({"rabbitmq-cluster", "rabbitmq-operator"}): "there is one RabbitMQ",
    frozenset({"rabbitmq-operator", "tls"}): "the operator's RabbitMQ has its own `spec.tls`",
}
"""Components of which one is added, and why."""

NOT_ON = {
    ("dev", "external-secrets"): "dev makes its secrets itself, under names with a hash",
    ("dev", "mysql-group"): "dev is for one machine, and has a server of its own",
    ("dev", "tls"): "the secrets of dev name its servers without TLS",
}
"""Components that an overlay has no use for, and why."""


def subsets(overlay: str) -> Iterator[tuple[str, ...]]:
    """Every set of components that makes sense on an overlay, from none at all, in their order."""
    those = [
        each
        for each in COMPONENTS
        if each not in INCLUDED[overlay] and (overlay, each) not in NOT_ON
    ]
    for size in range(len(those) + 1):
        for subset in combinations(those, size):
            if not any(len(each & set(subset)) > 1 for each in ONE_OF):
                yield subset


def name_of_subset(overlay: str, subset: tuple[str, ...]) -> str:
    """What it is called: the overlay, or `OVERLAY with COMPONENT and COMPONENT`."""
    return f"{overlay} with {' and '.join(subset)}" if subset else overlay


ALL_SUBSETS = [
    name_of_subset(overlay, subset) for overlay in INCLUDED for subset in subsets(overlay)
]
"""The names of all subsets on all overlays."""


def pairwise(overlay: str) -> list[str]:
    """The names of a few subsets, in which every two components occur with and without each other.

    As far as they make sense so. Each is the one that shows most that no former one has shown.
    """
    those = list(subsets(overlay))
    missing = set().union(*(_pairs(each) for each in those))
    chosen = []
    while missing:
        best = max(those, key=lambda each: len(_pairs(each) & missing))
        chosen.append(name_of_subset(overlay, best))
        missing -= _pairs(best)
    return chosen


def _pairs(subset: tuple[str, ...]) -> set[tuple[tuple[str, bool], ...]]:
    return set(combinations(((each, each in subset) for each in COMPONENTS), 2))
