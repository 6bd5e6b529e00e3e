"""The pictures of the documentation show what there is."""

from xml.etree import ElementTree

import pytest

from docs.drawing import overview
from docs.drawing.overview import GATEWAY, SERVERS, Unplaced, read_overview
from docs.drawing.sequence import Phase, SequenceDiagram, Step, UnknownParticipant
from docs.drawing.system import HalfOpen, Node, System, read_system
from tests.unit.docs.recording import recorded
from tools.k8s_check.edges import let_in, let_out
from tools.k8s_check.manifests import Manifests
from tools.k8s_check.tree import Tree

pytestmark = pytest.mark.xdist_group("k8s")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def dev(tree: Tree) -> Manifests:
    return tree.rendered("dev with ingress")


@pytest.fixture(scope="module")
def prod(tree: Tree) -> Manifests:
    return tree.rendered(overview.OVERLAY)


@pytest.fixture(scope="module")
def system(dev: Manifests) -> System:
    return read_system(dev)


def names(system: System, kind: str) -> set[str]:
    return {node.name for nodes in system.parts.values() for node in nodes if node.kind == kind}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Service", "Ingress"])
def test_every_object_of_a_kind_is_drawn_and_no_other(
    dev: Manifests, system: System, kind: str
) -> None:
    assert names(system, kind) == {each["metadata"]["name"] for each in dev.of(kind)}


def test_every_box_of_the_architecture_that_was_asked_for_is_there(system: System) -> None:
    services = {"gateway", "auth", "dbuploader", "notification", "queries", "rabbitmq"}
    assert services <= names(system, "Service")
    assert services - {"rabbitmq"} <= names(system, "Deployment")
    assert {"rabbitmq", "mongo", "auth-db", "employment-db"} <= names(system, "StatefulSet")
    assert "rabbitmq-data" in names(system, "PersistentVolumeClaim")
    assert names(system, "StorageClass")
    assert names(system, "Ingress") == {"gateway"}
    assert "mailpit" in names(system, "Service")


def test_the_calls_are_what_the_policies_let_through_from_both_ends(
    dev: Manifests, system: System
) -> None:
    behind = {
        service["metadata"]["name"]: {
            workload.name for workload in dev.selected_by(service["spec"]["selector"])
        }
        for service in dev.of("Service")
    }
    drawn = {
        (edge.source.name, workload)
        for edge in system.edges
        if edge.meaning == "calls"
        for workload in behind[edge.target.name]
    }
    allowed = let_out(dev) & let_in(dev)
    assert drawn == {(edge.source, edge.target) for edge in allowed}


def test_a_policy_that_only_one_side_has_is_no_edge(dev: Manifests) -> None:
    some = [each for each in dev.objects if each["metadata"]["name"] != "callers-to-mongo"]
    assert len(some) == len(dev.objects) - 1
    with pytest.raises(HalfOpen):
        read_system(Manifests(some))


def test_each_box_stands_with_the_service_it_belongs_to(system: System) -> None:
    assert Node("Deployment", "dbuploader-consumer") in system.parts["dbuploader"]
    assert Node("PersistentVolumeClaim", "rabbitmq-data") in system.parts["rabbitmq"]


def test_a_sequence_is_drawn_with_what_it_says_as_text() -> None:
    step = Step("a", "b", "1 < 2 & more")
    drawn = SequenceDiagram("<Title>", ["a", "b"], [Phase("Once", [step])]).to_svg()
    texts = list(ElementTree.fromstring(drawn).itertext())
    assert "<Title>" in texts
    assert any("1 < 2 & more" in text for text in texts)


def test_a_step_of_nobody_is_refused() -> None:
    with pytest.raises(UnknownParticipant):
        SequenceDiagram("t", ["a"], [Phase("p", [Step("a", "nobody", "x")])]).to_svg()


def test_the_page_draws_every_box_and_every_arrow_once(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = recorded("architecture.md", monkeypatch)
    nodes = [node for part in system.parts.values() for node in part]
    arrows = [(edge.source, edge.target) for edge in system.edges]
    assert sorted(drawn.boxes) == sorted(map(str, nodes))
    assert sorted(drawn.arrows) == sorted((str(source), str(target)) for source, target in arrows)
    # Each part is a group, and all of them are in one.
    assert len(drawn.titles) == len(set(drawn.titles)) == len(system.parts)


def test_the_figure_of_the_architecture_is_what_the_manifests_say(prod: Manifests) -> None:
    drawn = overview.FILE.read_text("utf-8")
    icons = overview.icons_in(drawn)
    assert icons.keys() == overview.ICONS.keys()
    assert drawn == overview.draw(read_overview(prod), icons.__getitem__), "run make architecture"


def test_the_figure_has_every_workload_and_every_call(prod: Manifests) -> None:
    read = read_overview(prod)
    boxes = [box for part in read.parts.values() for box in part]
    for kind in ("Deployment", "StatefulSet"):
        assert sum(box.icon == kind for box in boxes) == len(prod.of(kind))
    assert read.servers == SERVERS.keys()
    assert {callee for caller, callee in read.calls if caller == GATEWAY} == {
        *("auth", "queries", "dbuploader", "notification", "rabbitmq", "mongo")
    }
    inside = {tuple(sorted(call)) for call in read.calls if call[1] not in SERVERS}
    parts = {
        node.name: part
        for part, nodes in read_system(prod).parts.items()
        for node in nodes
        if node.kind in ("Deployment", "StatefulSet")
    }
    allowed = {(parts[edge.source], parts[edge.target]) for edge in let_out(prod) & let_in(prod)}
    assert inside == {tuple(sorted(each)) for each in allowed if len(set(each)) == 2}


def test_the_figure_needs_no_other_host(prod: Manifests) -> None:
    drawn = ElementTree.fromstring(overview.FILE.read_text("utf-8"))
    addresses = [value for each in drawn.iter() for key, value in each.items() if "href" in key]
    assert addresses
    assert all(address.startswith(("#", "data:image/png;")) for address in addresses)


def test_a_server_without_a_place_in_the_figure_is_not_left_out(prod: Manifests) -> None:
    (policy,) = [each for each in prod.objects if "managed-mail" in each["metadata"]["name"]]
    metadata = {**policy["metadata"], "name": "callers-to-managed-search"}
    with pytest.raises(Unplaced):
        read_overview(Manifests([*prod.objects, {**policy, "metadata": metadata}]))
