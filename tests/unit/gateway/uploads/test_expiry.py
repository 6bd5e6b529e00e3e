"""Files and rejects are kept for so many days; the record says since when they are gone."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from gateway.relay import Relay
from gateway.uploads.expiry import BATCH, FileExpiry
from muster.contracts.uploads import UNFINISHED, RowCounts, State, Upload, now
from muster.stores import Stores
from tests.unit.gateway.fakes import ANA, CSV, FakeBroker, stored_files

SMALL = b"x,a\n"
# More than is kept with a record.
LARGE = SMALL + b"\n" * 20_000
FINAL = frozenset(State) - UNFINISHED


def send(client: FlaskClient, content: bytes = SMALL, key: str | None = None) -> str:
    headers = {**ANA, **CSV} | ({} if key is None else {"Idempotency-Key": key})
    answer = client.post("/v1/uploads?table=jobs", data=content, headers=headers)
    upload_id: str = answer.get_json()["id"]
    return upload_id


def end(stores: Stores, upload_id: str, days_ago: float, rejects: str | None = None) -> Upload:
    if rejects is not None:
        with stores.files.write(f"{upload_id}.{rejects}.rejects") as file:
            file.write(b"{}\n")
    return stores.uploads.update(
        upload_id,
        expect=UNFINISHED,
        state=State.COMPLETED_WITH_REJECTS,
        finished_at=now() - timedelta(days_ago),
        rows=RowCounts(read=2, inserted=1, rejected=1),
        rejects=rejects,
    )


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_file_and_rejects_go_and_the_record_says_so(
    client: FlaskClient, stores: Stores, tmp_path: Path, content: bytes
) -> None:
    upload_id = send(client, content)
    before = end(stores, upload_id, 31, rejects="load")
    assert FileExpiry(stores, 30).run() == 1
    assert stored_files(tmp_path) == []
    for what in ("file", "rejects"):
        answer = client.get(f"/v1/uploads/{upload_id}/{what}", headers=ANA)
        assert answer.status_code == 410
        assert answer.get_json()["type"].endswith("#file-removed")
        assert "send the file again" in answer.get_json()["detail"]
    shown = client.get(f"/v1/uploads/{upload_id}", headers=ANA).get_json()
    assert shown["files_removed"]["why"] == "expired"
    assert (shown["rows"]["rejected"], shown["sha256"]) == (1, before.sha256)


def test_what_is_younger_or_not_final_is_kept(
    client: FlaskClient, stores: Stores, tmp_path: Path
) -> None:
    young, queued = send(client), send(client)
    end(stores, young, 29.9)
    assert FileExpiry(stores, 30).run() == 0
    assert stored_files(tmp_path) == sorted([young, queued])
    assert client.get(f"/v1/uploads/{young}/file", headers=ANA).data == SMALL


def test_by_default_all_is_kept_for_ever(
    client: FlaskClient, stores: Stores, tmp_path: Path
) -> None:
    upload_id = send(client)
    end(stores, upload_id, 10_000)
    assert FileExpiry(stores, 0).run() == 0
    assert stored_files(tmp_path) == [upload_id]


def test_the_key_of_an_expired_upload_is_free_again(client: FlaskClient, stores: Stores) -> None:
    first = send(client, key="k-1")
    end(stores, first, 31)
    assert send(client, key="k-1") == first
    FileExpiry(stores, 30).run()
    assert send(client, key="k-1") != first


def test_the_relay_removes_a_batch_a_turn(
    client: FlaskClient, stores: Stores, broker: FakeBroker
) -> None:
    for _ in range(BATCH + 1):
        end(stores, send(client), 31)
    moment = 1000.0
    relay = Relay(stores, broker, 3600, keep_files_days=30, clock=lambda: moment)
    left = []
    for _ in range(3):
        relay.turn()
        left.append(len(stores.uploads.expiring(now(), BATCH + 1)))
    assert left == [1, 0, 0]
    end(stores, send(client), 31)
    relay.turn()
    assert len(stores.uploads.expiring(now(), 9)) == 1
    moment += 60
    relay.turn()
    assert stores.uploads.expiring(now(), 9) == []


def test_what_was_not_deleted_after_the_record_said_so_is_swept(
    client: FlaskClient, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = send(client, LARGE)
    end(stores, upload_id, 31)

    def die(_name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stores.files, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            FileExpiry(stores, 30).run()
    assert stored_files(tmp_path) == [upload_id]
    assert stores.uploads.unnamed([upload_id]) == {upload_id}
