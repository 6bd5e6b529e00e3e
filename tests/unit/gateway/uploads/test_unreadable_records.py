"""An upload record that this version can't read: told to whom it belongs, and in nobody's way."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.relay import Relay
from gateway.setaside import main, table
from gateway.settings import Settings
from muster.contracts.messages import UploadAccepted
from muster.contracts.uploads import record_format
from muster.stores import Stores
from muster.uploadstore import SetAside
from tests.contract.rawrecords import set_raw
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ADMIN, ANA, BOB, CSV, FakeBroker


@pytest.fixture
def bad(client: FlaskClient, settings: Settings) -> str:
    """The id of an upload of Ana's whose record is of a state that nobody knows."""
    answer = post(client)
    set_raw(str(settings.csv_store_url), answer["id"], state="undone")
    upload_id: str = answer["id"]
    return upload_id


def post(client: FlaskClient, **headers: str) -> Any:
    headers = {**ANA, **CSV, **headers}
    return client.post("/v1/uploads?table=jobs", data=b"1,a\n", headers=headers).get_json()


@pytest.mark.parametrize("who", [ANA, ADMIN], ids=["owner", "administrator"])
@pytest.mark.parametrize(
    ("method", "rest"),
    [("get", ""), ("get", "/file"), ("get", "/rejects"), ("get", "/events"), ("delete", "")],
)
def test_whoever_may_see_it_is_told(
    client: FlaskClient, bad: str, who: dict[str, str], method: str, rest: str
) -> None:
    answer = client.open(f"/v1/uploads/{bad}{rest}", method=method, headers=who)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.get_json()["type"] == "/docs/errors#record-set-aside"
    assert "undone" not in answer.get_data(as_text=True)
    assert answer.headers["Retry-After"] == "60"


def test_for_others_it_is_not_there(client: FlaskClient, bad: str) -> None:
    assert client.get(f"/v1/uploads/{bad}", headers=BOB).status_code == 404


def test_the_page_tells_its_owner(client: FlaskClient, bad: str) -> None:
    answer = client.get(f"/uploads/{bad}", headers={**ANA, "Accept": "text/html"})
    assert answer.status_code == 503
    assert "can&#39;t read the record" in answer.get_data(as_text=True)


def test_the_list_shows_the_others(client: FlaskClient, bad: str) -> None:
    other = post(client)
    answer = client.get("/v1/uploads", headers=ANA)
    assert [upload["id"] for upload in answer.get_json()["uploads"]] == [other["id"]]
    assert bad != other["id"]


def test_a_request_that_is_repeated_is_not_accepted_twice(
    client: FlaskClient, stores: Stores, settings: Settings
) -> None:
    first = post(client, **{"Idempotency-Key": "k"})
    set_raw(str(settings.csv_store_url), first["id"], state="undone")
    repeated = post(client, **{"Idempotency-Key": "k"})
    assert repeated["type"] == "/docs/errors#record-set-aside"
    assert stores.uploads.find(owner=None, state=None, table=None, before=None, limit=9) == []


def test_events_end_when_the_record_can_be_read_no_more(
    client: FlaskClient, stores: Stores, settings: Settings
) -> None:
    upload_id = post(client)["id"]
    answer = client.get(f"/v1/uploads/{upload_id}/events", headers=ANA)
    events = iter(answer.response)
    assert b"queued" in next(events)
    set_raw(str(settings.csv_store_url), upload_id, state="undone")
    assert list(events) == []


def test_the_relay_publishes_those_behind_it(
    stores: Stores, broker: FakeBroker, settings: Settings
) -> None:
    for upload_id in ("a", "b", "c"):
        stores.uploads.accept(an_upload(id=upload_id))
    set_raw(str(settings.csv_store_url), "a", state="undone")
    Relay(stores, broker, sweep_after=0).turn()
    told = [UploadAccepted.from_body(body).upload_id for _, body, _ in broker.published]
    assert told == ["b", "c"]


def test_each_record_that_is_set_aside_is_a_line_of_an_aligned_table() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    lines = table(
        [
            SetAside("u-1", record_format(), "state: odd", at),
            SetAside(None, "0ld", "a\x1b[2J\nb", at),
        ]
    )
    assert list(lines) == [
        "SET ASIDE AT          UPLOAD  FOR              REASON",
        "2026-01-02T03:04:05Z  u-1     this version     state: odd",
        "2026-01-02T03:04:05Z  -       another version  a�[2J�b",
    ]


def run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway.setaside", *arguments],
        env={**os.environ, "MUSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_the_command_lists_and_puts_back(
    stores: Stores,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for upload_id in ("u-1", "u-2"):
        stores.uploads.accept(an_upload(id=upload_id))
        set_raw(str(settings.csv_store_url), upload_id, state="undone")
    assert stores.uploads.unfinished(0, 9) == []
    listing = run(settings.home, "list", "--limit", "1")
    assert listing.returncode == 0, listing.stderr
    [_, line, summary] = listing.stdout.splitlines()
    assert "u-1" in line
    assert "'undone'" in line
    assert summary == "set aside for this version: 2"
    for upload_id in ("u-1", "u-2"):
        set_raw(str(settings.csv_store_url), upload_id, state="queued")
    monkeypatch.setenv("MUSTER_HOME", str(settings.home))
    monkeypatch.setattr("gateway.setaside.configure_logging", lambda *_: None)
    main(["put-back", "u-2"])
    assert [upload.id for upload in stores.uploads.unfinished(0, 9)] == ["u-2"]
    main(["put-back"])
    assert [upload.id for upload in stores.uploads.unfinished(0, 9)] == ["u-1", "u-2"]
    assert capsys.readouterr().out.endswith("put back: 1\nput back: 1\n")


@pytest.mark.parametrize("arguments", [(), ("list", "--limit", "0"), ("remove", "u-1")])
def test_a_command_that_makes_no_sense_is_refused(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m gateway.setaside")
