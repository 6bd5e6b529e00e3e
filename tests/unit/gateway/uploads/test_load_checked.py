"""POST /v1/uploads/{id}/load: what a dry run checked, loaded from the stored bytes."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.uploads.expiry import FileExpiry
from muster.contracts.uploads import (
    UNFINISHED,
    FilesRemoved,
    Options,
    RowCounts,
    State,
    Upload,
    now,
)
from muster.stores import Stores
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ADMIN, ANA, BOB, CSV, FakeBroker, bearer, stored_files

SMALL = b"1,Recruiter\n"
LARGE = b"".join(b"%d,Job number %d\n" % (number, number) for number in range(1, 2000))


def check(client: FlaskClient, stores: Stores, content: bytes = SMALL, **query: str) -> str:
    """A dry run that the loader has finished; returns its id."""
    wanted = {"filename": "jobs.csv", "dry_run": "true", **query}
    answer = client.post(
        "/v1/uploads", query_string=wanted, headers={**ANA, **CSV}, data=content
    ).get_json()
    stores.uploads.update(
        answer["id"],
        expect=UNFINISHED,
        state=State.VALIDATED,
        finished_at=now(),
        rows=RowCounts(read=1, inserted=1),
    )
    return str(answer["id"])


def load(client: FlaskClient, upload_id: str, who: Any = ANA, **headers: str) -> Any:
    return client.post(f"/v1/uploads/{upload_id}/load", headers={**who, **headers})


def file_of(stores: Stores, upload: Upload) -> bytes:
    with stores.open_file(upload) as file:
        return file.read()


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["with its record", "a file"])
def test_it_is_a_new_upload_of_the_same_bytes_that_names_the_dry_run(
    client: FlaskClient, stores: Stores, broker: FakeBroker, content: bytes
) -> None:
    dry_run = check(client, stores, content, max_rejects="3", mode="insert", header="absent")
    answer = load(client, dry_run)
    assert answer.status_code == 202
    shown = answer.get_json()
    assert answer.headers["Location"] == shown["links"]["self"] == f"/v1/uploads/{shown['id']}"
    first, record = stores.uploads.get(dry_run), stores.uploads.get(shown["id"])
    assert (shown["loads"], record.loads, record.kind) == (dry_run, dry_run, "upload")
    assert record.state is State.QUEUED
    assert record.options == replace(first.options, dry_run=False)
    assert (record.size, record.sha256) == (len(content), sha256(content).hexdigest())
    assert (record.table, record.filename) == (first.table, first.filename)
    assert file_of(stores, record) == content
    assert broker.published[-1][0] == "upload.accepted"
    # Each has its own: what becomes of the one takes nothing from the other.
    removed = {"files_removed": FilesRemoved("expired", now())}
    stores.remove_files({dry_run: removed})
    assert file_of(stores, record) == content


def dry_undo(upload: Upload) -> Upload:
    return replace(upload, kind="undo", undoes="a", options=Options(dry_run=True))


@pytest.mark.parametrize(
    ("made", "status", "kind", "says"),
    [
        (lambda each: replace(each, options=Options()), 409, "not-a-dry-run", "was no dry run"),
        (lambda each: replace(each, state=State.FAILED), 409, "not-a-dry-run", "is failed"),
        (lambda each: replace(each, state=State.CANCELLED), 409, "not-a-dry-run", "is cancelled"),
        (lambda each: replace(each, state=State.QUEUED), 409, "not-finished", "queued"),
        (dry_undo, 409, "not-a-dry-run", "/undo"),
        (
            lambda each: replace(each, kind="erasure", erases=7, options=Options()),
            *(409, "not-a-dry-run", "has no file"),
        ),
        (
            lambda each: replace(each, files_removed=FilesRemoved("expired", now())),
            *(410, "file-removed", "send the file again"),
        ),
        (
            lambda each: replace(each, files_removed=FilesRemoved("erased", now(), "e")),
            *(410, "file-removed", "was erased"),
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused_and_nothing_is_kept(
    client: FlaskClient,
    stores: Stores,
    tmp_path: Path,
    made: Callable[[Upload], Upload],
    status: int,
    kind: str,
    says: str,
) -> None:
    checked = an_upload(
        id="d" * 32, owner="ana", state=State.VALIDATED, options=Options(dry_run=True)
    )
    upload = stores.uploads.accept(made(checked))
    answer = load(client, upload.id)
    assert answer.status_code == status
    assert answer.get_json()["type"] == f"/docs/errors#{kind}"
    assert says in answer.get_json()["detail"]
    assert stored_files(tmp_path) == []


def test_it_is_for_ones_own_and_for_administrators(client: FlaskClient, stores: Stores) -> None:
    dry_run = check(client, stores)
    assert load(client, dry_run, BOB).status_code == 404
    assert load(client, dry_run, bearer("ana", "uploads:read")).status_code == 403
    assert load(client, "x" * 32).status_code == 404
    answer = load(client, dry_run, ADMIN).get_json()
    assert answer["submitted_by"] == "admin@example.com"


def test_one_key_makes_one_load(client: FlaskClient, stores: Stores) -> None:
    first, second = check(client, stores), check(client, stores, LARGE)
    key = {"Idempotency-Key": "one"}
    made = load(client, first, **key)
    answer = made.get_json()
    again = load(client, first, **key)
    assert again.get_json() == answer
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in made.headers
    assert load(client, second, **key).status_code == 422
    assert load(client, first).get_json()["id"] != answer["id"]


def test_it_has_its_place_in_the_users_share(
    make_app: Callable[..., OpenAPI], stores: Stores
) -> None:
    dry_run = check(make_app().test_client(), stores)
    client = make_app(uploads_per_user=1).test_client()
    assert load(client, dry_run).status_code == 202
    assert load(client, dry_run).status_code == 429


def test_the_bytes_of_the_day_bound_it(make_app: Callable[..., OpenAPI], stores: Stores) -> None:
    dry_run = check(make_app().test_client(), stores, LARGE)
    client = make_app(bytes_per_user_a_day=len(LARGE) + 1).test_client()
    answer = load(client, dry_run)
    assert answer.status_code == 429
    assert answer.get_json()["type"] == "/docs/errors#too-many-bytes"


def test_a_file_that_is_gone_or_changed_is_not_loaded(
    client: FlaskClient, stores: Stores, tmp_path: Path
) -> None:
    gone, changed = check(client, stores, LARGE), check(client, stores, LARGE)
    stores.files.delete(gone)
    assert load(client, gone).status_code == 404
    with stores.files.write(changed) as file:
        file.write(LARGE.replace(b"7", b"8"))
    assert load(client, changed).status_code == 410
    assert stored_files(tmp_path) == [changed]


def test_an_expired_dry_run_says_so(client: FlaskClient, stores: Stores) -> None:
    dry_run = check(client, stores, LARGE)
    stores.uploads.update(
        dry_run, expect=frozenset(State), finished_at=now().replace(year=now().year - 1)
    )
    assert FileExpiry(stores, 30).run() == 1
    assert load(client, dry_run).status_code == 410
