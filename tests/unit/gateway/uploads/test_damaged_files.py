"""Downloads of what has lost a part: told, and not cut."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.contracts.rejects import Reject, RejectsHeader, ensure_whole, read_rejects
from muster.contracts.uploads import UNFINISHED, RowCounts, State
from muster.stores import Stores
from muster.weather import FileDamaged
from tests.unit.gateway.fakes import ANA, CSV

ROW = (
    '{"line": 1, "row": 1, "cells": ["x", "a"], "raw": null, "errors": '
    '[{"code": "type-error", "column": "id", "message": "write digits"}]}\n'
)

# More than is kept with a record.
FILE = b"x,a\n" + b"\n" * 20_000


@pytest.fixture
def upload_id(client: FlaskClient, stores: Stores) -> str:
    """A final upload of one row, which was rejected."""
    headers = {**ANA, **CSV}
    answer = client.post("/v1/uploads?table=jobs", data=FILE, headers=headers).get_json()
    header = RejectsHeader(("id", "job"), raw=False, size=len(ROW))
    with stores.files.write(f"{answer['id']}.rejects") as file:
        file.write(f"{header.to_json()}\n{ROW}".encode())
    rows = RowCounts(read=1, rejected=1)
    state = State.COMPLETED_WITH_REJECTS
    stores.uploads.update(answer["id"], expect=UNFINISHED, state=state, rows=rows)
    upload_id: str = answer["id"]
    return upload_id


def stored(tmp_path: Path, name: str) -> Path:
    return next((tmp_path / "store" / "files").glob(f"*/{name}"))


def get(client: FlaskClient, upload_id: str, what: str) -> Any:
    return client.get(f"/v1/uploads/{upload_id}/{what}", headers=ANA, buffered=True)


def test_what_is_whole_is_given(client: FlaskClient, upload_id: str) -> None:
    assert get(client, upload_id, "file").data == FILE
    assert b"x,a,1,1,type-error,id" in get(client, upload_id, "rejects").data


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
@pytest.mark.parametrize("what", ["file", "rejects"])
def test_what_has_lost_a_part_is_answered_with_gone(
    client: FlaskClient, upload_id: str, tmp_path: Path, what: str, accept: str
) -> None:
    path = stored(tmp_path, upload_id if what == "file" else f"{upload_id}.rejects")
    path.write_bytes(path.read_bytes()[:-2])
    headers = {**ANA, "Accept": accept}
    answer = client.get(f"/v1/uploads/{upload_id}/{what}", headers=headers)
    assert (answer.status_code, answer.mimetype) == (410, "application/problem+json")
    assert answer.get_json()["type"] == "/docs/errors#file-damaged"


def test_rejects_that_are_lost_are_not_none(
    client: FlaskClient, stores: Stores, upload_id: str
) -> None:
    stores.files.delete(f"{upload_id}.rejects")
    assert get(client, upload_id, "rejects").status_code == 404


@pytest.mark.parametrize("lost", ["a part", "all"])
def test_the_page_of_the_upload_is_shown_without_them(
    client: FlaskClient, stores: Stores, upload_id: str, tmp_path: Path, lost: str
) -> None:
    if lost == "all":
        stores.files.delete(f"{upload_id}.rejects")
    else:
        stored(tmp_path, f"{upload_id}.rejects").write_bytes(b"{")
    answer = client.get(f"/uploads/{upload_id}", headers={**ANA, "Accept": "text/html"})
    assert answer.status_code == 200
    assert "The rejected rows can't be shown" in answer.get_data(as_text=True)


def test_rejects_of_a_version_that_did_not_say_their_size_are_given(
    client: FlaskClient, upload_id: str, tmp_path: Path
) -> None:
    path = stored(tmp_path, f"{upload_id}.rejects")
    path.write_text('{"labels": ["id", "job"], "raw": false, "later": 1}\n' + ROW)
    assert b"x,a,1,1,type-error,id" in get(client, upload_id, "rejects").data


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"7\n",
        b"[" * 100_000,
        b"\xff",
        b'{"labels": 7, "raw": true}',
        ROW[:-9].encode(),
    ],
)
def test_lines_that_are_no_rejects_are_damage(line: bytes, tmp_path: Path) -> None:
    with pytest.raises(FileDamaged):
        read_rejects([line])
    with pytest.raises(FileDamaged):
        Reject.from_json(line)
    path = tmp_path / "rejects"
    path.write_bytes(line)
    with path.open("rb") as file, pytest.raises(FileDamaged):
        ensure_whole(file)


def test_a_reject_with_fields_of_a_later_version_is_read() -> None:
    later = ROW.replace('"line"', '"later": 1, "line"').replace('"code"', '"later": 1, "code"')
    assert Reject.from_json(later) == Reject.from_json(ROW)
