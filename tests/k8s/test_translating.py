"""What `make k8s-check` plays by podman is the overlay `dev`, but for what it says is left out."""

import copy
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from tests.k8s.mutating import FIRST, POD, Change
from tools.images_check import bases
from tools.k8s_check.manifests import Json, Manifests, name_of
from tools.k8s_check.podman.cluster import image_of
from tools.k8s_check.podman.translation import Play, translate
from tools.k8s_check.podman.unsupported import KINDS, CannotTranslate


@pytest.fixture(scope="module")
def plays(dev: Manifests, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Play]:
    directory = tmp_path_factory.mktemp("volumes")
    return translate(dev, image_of, directory).plays


def pod_in(play: Play) -> Json:
    (found,) = [each for each in play.objects if each["kind"] in ("Pod", "Deployment")]
    spec: Json = found["spec"]
    return dict(spec) if found["kind"] == "Pod" else dict(spec["template"]["spec"])


def test_every_workload_is_played_and_the_overlay_stays_as_it_is(
    dev: Manifests, tmp_path: Path
) -> None:
    before = copy.deepcopy(dev.objects)
    translation = translate(dev, image_of, tmp_path)
    assert list(translation.plays) == [each.name for each in dev.workloads()]
    assert len(translation.secrets) == len(dev.of("Secret")) > 0
    assert dev.objects == before


def test_what_is_not_played_is_counted_by_kind_and_by_field(dev: Manifests, tmp_path: Path) -> None:
    rows = list(translate(dev, image_of, tmp_path).left_out.rows())
    times = {row["not run by podman"]: row["times"] for row in rows}
    kinds = Counter(each["kind"] for each in dev.objects)
    assert {kind: times.get(kind, 0) for kind in kinds if kind not in KINDS.run} == {
        kind: number for kind, number in kinds.items() if kind not in KINDS.run
    }
    stay = len(dev.workloads())
    assert times["container.readinessProbe"] == times["container.livenessProbe"] == stay
    assert all(row["because"] for row in rows)


def test_every_service_is_the_name_of_a_pod(dev: Manifests, plays: dict[str, Play]) -> None:
    found = sorted(name for play in plays.values() for name in play.services)
    assert found == sorted(map(name_of, dev.of("Service")))
    assert plays["rabbitmq"].services == ["rabbitmq", "rabbitmq-nodes"]


def test_no_volume_is_shared_by_two_pods(plays: dict[str, Play]) -> None:
    named = [
        volume.get("persistentVolumeClaim", {}).get("claimName") or volume["configMap"]["name"]
        for play in plays.values()
        for volume in pod_in(play)["volumes"]
    ]
    assert [name for name, times in Counter(named).items() if times > 1] == []


def test_every_mount_is_of_a_volume_and_every_volume_is_an_object(plays: dict[str, Play]) -> None:
    for play in plays.values():
        pod = pod_in(play)
        volumes = {each["name"]: each for each in pod["volumes"]}
        mounts = [
            mount
            for container in [*pod.get("initContainers", []), *pod["containers"]]
            for mount in container.get("volumeMounts", [])
        ]
        assert {mount["name"] for mount in mounts} == set(volumes)
        there = {(each["kind"], name_of(each)) for each in play.objects}
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in there
            else:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert ("PersistentVolumeClaim", claim) in there


def test_an_empty_directory_is_as_large_as_it_may_be_or_its_users(plays: dict[str, Play]) -> None:
    claims = {
        name_of(each): each["metadata"]["annotations"]
        for play in plays.values()
        for each in play.objects
        if each["kind"] == "PersistentVolumeClaim"
    }
    options = "volume.podman.io/mount-options"
    assert claims["auth-tmp"][options] == "size=64m,mode=1777"
    assert claims["dbuploader-consumer-tmp"]["volume.podman.io/uid"] == "10001"
    assert claims["data-auth-db-0"] == {
        "volume.podman.io/uid": "999",
        "volume.podman.io/gid": "999",
    }


def test_only_the_named_files_of_a_config_map_are_mounted(plays: dict[str, Play]) -> None:
    data = {name_of(each): each.get("data", {}) for each in plays["mongo"].objects}
    assert set(data["mongo-scripts"]) == {"start.sh", "health.js"}
    assert set(data["mongo-accounts"]) == {"accounts.js", "roles.json"}


def test_the_files_of_a_secret_are_its_groups_to_read(plays: dict[str, Play]) -> None:
    (claim,) = [each for each in plays["auth"].objects if name_of(each) == "auth-signing-key"]
    source = claim["metadata"]["annotations"]["volume.podman.io/import-source"]
    with tarfile.open(source) as tar:
        (key,) = tar.getmembers()
    assert (key.name, key.uid, key.gid, key.mode) == ("signing-key.pem", 0, 10001, 0o440)
    assert Path(source).stat().st_mode & 0o077 == 0


def test_the_images_are_those_of_the_images_check(plays: dict[str, Play]) -> None:
    for play in plays.values():
        for container in [*pod_in(play).get("initContainers", []), *pod_in(play)["containers"]]:
            image, policy = container["image"], container["imagePullPolicy"]
            assert image in bases.STAND_INS or image.startswith("docker.io/muster/")
            assert policy == "Never"


@pytest.mark.parametrize(
    "change",
    [
        Change("Deployment auth", "spec/paused", value=True),
        Change("Deployment auth", f"{POD}/hostAliases", []),
        Change("Deployment auth", f"{FIRST}/tty", value=True),
        Change("Deployment auth", f"{FIRST}/securityContext/procMount", "Default"),
        Change("Deployment auth", f"{FIRST}/resources/limits/hugepages-2Mi", "4Mi"),
        Change("Deployment auth", f"{POD}/volumes/0", {"name": "tmp", "hostPath": {"path": "/x"}}),
        Change("Deployment auth", f"{POD}/volumes/1/secret/secretName", "another"),
        Change("Service auth", "spec/ports/0/port", 80),
        Change("NetworkPolicy auth-from-callers", "kind", "GlobalPolicy"),
    ],
    ids=str,
)
def test_what_it_does_not_know_is_not_passed_over(
    dev: Manifests, change: Change, tmp_path: Path
) -> None:
    with pytest.raises(CannotTranslate):
        translate(change.applied_to(dev), image_of, tmp_path)
