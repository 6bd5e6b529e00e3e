"""The steps of `make k8s-check` that only a cluster can take, held on one that is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.demo.checks import Checks
from tools.images_check.commands import CommandFailed
from tools.k8s_check import outages, steps
from tools.k8s_check.drain import drain_a_node
from tools.k8s_check.manifests import Json, Manifests, Workload
from tools.k8s_check.outages import take_the_store_away
from tools.k8s_check.outside import Report
from tools.k8s_check.releases import check_releases
from tools.k8s_check.suite import Suite
from tools.k8s_check.trial import Trial


def workload(kind: str, name: str, component: str) -> Json:
    labels = {"app.kubernetes.io/component": component}
    container: Json = {"name": name, "ports": [{"name": "http", "containerPort": 8080}]}
    if name == "auth":
        container["env"] = [
            {"name": "MUSTER_ADMIN_EMAIL", "value": "a@example.com"},
            {"name": "MUSTER_ADMIN_PASSWORD", "value": "secret"},
        ]
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"kind": kind, "metadata": {"name": name}, "spec": {"template": template}}


MANIFESTS = Manifests(
    [
        {"kind": "Namespace", "metadata": {"name": "muster"}},
        {"kind": "Service", "metadata": {"name": "gateway"}, "spec": {"ports": [{"port": 80}]}},
        workload("Deployment", "auth", "http"),
        workload("Deployment", "gateway", "http"),
        workload("StatefulSet", "mongo", "files"),
        workload("Deployment", "mailpit", "mail"),
    ]
)


UPLOADS = [{"id": each * 32, "name": each, "state": "completed", "email": "sent"} for each in "ab"]


def emails_about(*uploads: str) -> Any:
    """What lists the emails that Mailpit has, in place of emails_in_mailpit."""
    sent = [{"Message-ID": f"<upload-{each * 32}.completed@example.com>"} for each in uploads]
    return lambda _url, limit: sent[:limit]


class FakeCluster:
    """Everything is well; it makes other pods when what is applied has changed."""

    title = "nobody"

    def __init__(self, overlay: Path) -> None:
        self.overlay = overlay
        self.calls: list[str] = []
        self.applied = self._content()
        self.generation = 0
        self.nodes = ["node1", "node2", "node3", "node4"]
        self.failing = ""
        self.left: list[str] = []

    def _content(self) -> str:
        return "".join(each.read_text() for each in sorted(self.overlay.rglob("*.*")))

    def apply(self) -> None:
        self.generation += self._content() != self.applied
        self.applied = self._content()
        self.calls.append("apply")

    def incarnations(self, workload: Workload) -> frozenset[str]:
        return frozenset({f"{workload.name} {self.generation}"})

    def wait_until_ready(self, _workload: Workload) -> str:
        return ""

    def scale(self, workload: Workload, replicas: int) -> None:
        self.calls.append(f"scale {workload.name} {replicas}")

    def schedulable_nodes(self) -> list[str]:
        return self.nodes

    def pods(self, workload: Workload | None = None) -> list[Json]:
        if workload is not None:
            assert workload.name == "mailpit"
            return [{"spec": {"nodeName": "node4"}}]
        bound: list[Json] = [{"persistentVolumeClaim": {}}]
        drained = any(call.startswith("drain") for call in self.calls)
        where = ["node1", "node1", "node1", "node2", "node4", "node4", "node4"]
        left = [] if drained else [{"spec": {"nodeName": node}} for node in where]
        left += [{"spec": {"nodeName": each}} for each in self.left]
        return [*left, {"spec": {"nodeName": "node3", "volumes": bound}}]

    def kubectl(self, *arguments: str) -> str:
        self.calls.append(" ".join(arguments))
        if self.failing and self.calls[-1].startswith(self.failing):
            raise CommandFailed(self.failing)
        return ""

    @contextmanager
    def reached(self, _workload: Workload, _port: int) -> Iterator[str]:
        yield "http://mailpit"


class FakeOutside:
    """Its traffic reports that these requests ended so, in each phase."""

    def __init__(self, **outcomes: dict[str, int]) -> None:
        self.outcomes = {"upload": {"202": 2}, "query": {"200": 3}, **outcomes}
        self.phases: list[str] = []
        self.report = Report({}, {"upload": 0.5}, [], UPLOADS, [], [])

    def node(self) -> str:
        return "node1"

    @contextmanager
    def traffic(self, _orders: object) -> Iterator["FakeOutside"]:
        yield self

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def stop(self) -> Report:
        said = vars(self.report) | {"requests": dict.fromkeys(self.phases, self.outcomes)}
        return Report(**said)


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    images = [{"name": "muster/auth", "newTag": "local"}, {"name": "mongo", "newTag": "8.0"}]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"images": images}))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "auth-admin.env").write_text("MUSTER_ADMIN_PASSWORD=secret\n")
    return tmp_path


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "_AWAY_SECONDS", 0.0)
    monkeypatch.setattr("tools.k8s_check.trial.emails_in_mailpit", emails_about("a", "b"))


def trial(overlay: Path, outside: FakeOutside) -> tuple[Trial, Any]:
    cluster: Any = FakeCluster(overlay)
    anything: Any = outside
    return Trial(Suite(cluster, MANIFESTS, Checks()), cluster, anything), cluster


def test_every_release_is_applied_and_the_former_tag_comes_back(overlay: Path) -> None:
    first = (overlay / "kustomization.yaml").read_text()
    release, cluster = trial(overlay, FakeOutside())
    check_releases(release)
    assert release.suite.checks.wrong == []
    assert cluster.calls == ["apply"] * 5
    assert cluster.generation == 3
    assert (overlay / "kustomization.yaml").read_text() == first
    assert "secret\n" not in (overlay / "secrets" / "auth-admin.env").read_text()


def test_a_new_tag_is_the_one_that_is_named(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXT_TAG", "next")
    seen: list[Json] = []
    release, cluster = trial(overlay, FakeOutside())
    monkeypatch.setattr(
        cluster,
        "apply",
        lambda: seen.append(yaml.safe_load((overlay / "kustomization.yaml").read_text())),
    )
    check_releases(release)
    tags = [[each["newTag"] for each in content["images"]] for content in seen]
    assert tags == [["local", "8.0"]] * 2 + [["next", "8.0"]] * 2 + [["local", "8.0"]]


def test_a_release_during_which_a_request_fails_is_named(overlay: Path) -> None:
    release, _ = trial(overlay, FakeOutside(query={"200": 9, "502": 1}))
    check_releases(release)
    names = ("the same, again", "the same, a third time", "a new tag", "another secret")
    assert release.suite.checks.wrong == [
        f"{name}: no request fails" for name in (*names, "the former tag")
    ]


def test_without_the_store_uploads_have_to_be_refused_and_questions_answered(
    overlay: Path,
) -> None:
    away, cluster = trial(
        overlay, FakeOutside(upload={"503": 4}, table={}, page={}, login={"200": 1})
    )
    take_the_store_away(away)
    assert away.suite.checks.wrong == []
    assert cluster.calls == ["scale mongo 0", "scale mongo 1"]


@pytest.mark.parametrize(
    ("outcomes", "wrong"),
    [
        ({"upload": {"503": 3, "502": 1}}, ["uploads are refused meanwhile"]),
        (
            {"login": {"200": 3, "ConnectionRefusedError": 1}},
            [
                f"{phase}: every question is answered"
                for phase in ("it leaves", "it is away", "it is back")
            ],
        ),
    ],
)
def test_what_else_happens_without_the_store_is_wrong(
    outcomes: dict[str, dict[str, int]], wrong: list[str], overlay: Path
) -> None:
    usual: dict[str, dict[str, int]] = {"upload": {"503": 4}, "table": {}, "page": {}, "login": {}}
    away, _ = trial(overlay, FakeOutside(**(usual | outcomes)))
    take_the_store_away(away)
    assert away.suite.checks.wrong == wrong


def test_a_node_is_drained_that_has_pods_and_no_volume(overlay: Path) -> None:
    drained, cluster = trial(overlay, FakeOutside())
    drain_a_node(drained)
    assert drained.suite.checks.wrong == []
    assert [call.split()[:2] for call in cluster.calls] == [
        ["drain", "node2"],
        ["uncordon", "node2"],
    ]


def test_a_drain_that_does_not_end_is_wrong_and_the_node_takes_pods_again(overlay: Path) -> None:
    drained, cluster = trial(overlay, FakeOutside())
    cluster.failing = "drain"
    with pytest.raises(CommandFailed, match="drain"):
        drain_a_node(drained)
    assert cluster.calls[-1] == "uncordon node2"


def test_fewer_than_three_nodes_are_left_alone(
    overlay: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drained, cluster = trial(overlay, FakeOutside())
    cluster.nodes = ["node1", "node2"]
    drain_a_node(drained)
    assert cluster.calls == []
    assert "left out: this takes 3 nodes, and there are 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "emails", "wrong"),
    [
        ({}, ["a", "b"], []),
        ({}, ["a"], ["one email is sent of each"]),
        ({}, ["a", "b", "b"], ["one email is sent of each"]),
        ({"lost": ["a"]}, ["a", "b"], ["no upload is lost"]),
        ({"doubled": ["a"]}, ["a", "b"], ["no upload is there twice"]),
        ({"failures": ["a"]}, ["a", "b"], ["no client had to give up"]),
        (
            {"uploads": [UPLOADS[0], {**UPLOADS[1], "state": "failed"}]},
            ["a", "b"],
            ["every upload is completed"],
        ),
    ],
    ids=["well", "no email", "two emails", "lost", "doubled", "given up", "failed"],
)
def test_each_upload_has_to_be_done_once_with_one_email(
    changes: dict[str, Any],
    emails: list[str],
    wrong: list[str],
    overlay: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tools.k8s_check.trial.emails_in_mailpit", emails_about(*emails))
    said: dict[str, Any] = {"failures": [], "uploads": UPLOADS, "lost": [], "doubled": []}
    found, _ = trial(overlay, FakeOutside())
    found.must_keep_uploads(Report({}, {}, **(said | changes)))
    assert found.suite.checks.wrong == wrong


@pytest.mark.parametrize(
    ("names", "taken"),
    [((), ["short"]), (("long",), ["long"]), (("short", "long"), ["short", "long"])],
)
def test_the_steps_that_are_named_are_taken_or_else_the_short_ones(
    names: tuple[str, ...], taken: list[str], overlay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    known = {name: lambda _suite, name=name: done.append(name) for name in ("short", "long")}
    monkeypatch.setattr(steps, "ANYWHERE", known)
    monkeypatch.setattr(steps, "ON_A_CLUSTER", {})
    monkeypatch.setattr(steps, "NAMES", tuple(known))
    monkeypatch.setattr(steps, "NAMED_ALONE", frozenset({"long"}))
    steps.take(trial(overlay, FakeOutside())[0].suite, names)
    assert done == taken
