"""Content-Digest (RFC 9530): a body that is not the one that was meant is refused, and not kept."""

import gzip
import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.stores import Stores
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.fakes import ANA, CSV, bearer, stored_files
from tests.unit.gateway.uploads.test_resumable import PART, ROWS, append, begin, of_user, uploads

LARGE = b"".join(b"%d,Job number %d\n" % (number, number) for number in range(1, 20_000))
WRITER = bearer("ana", "rows:write")


def digest(content: bytes, algorithm: str = "sha-256") -> str:
    value = hashlib.new(algorithm.replace("-", ""), content).digest()
    return f"{algorithm}=:{b64encode(value).decode()}:"


def a_form(content: bytes) -> tuple[bytes, str]:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="jobs.csv"\r\n\r\n'
    return head + content + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


def post(client: FlaskClient, data: bytes, said: str, **headers: str) -> Any:
    sent = {name.replace("_", "-"): headers[name] for name in headers}
    every = {**ANA, **CSV, "Content-Digest": said, **sent}
    return client.post("/v1/uploads?table=jobs", data=data, headers=every)


def kind_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["type"].partition("#")[2]


MISMATCHED = (400, "digest-mismatched-values")
INVALID = (400, "digest-invalid-values")


@pytest.mark.parametrize(
    "said",
    [
        digest(ROWS),
        digest(ROWS, "sha-512"),
        f"{digest(ROWS)}, {digest(ROWS, 'sha-512')}",
        f"md5=:AAAA:, unixsum=1, {digest(ROWS)}",
        "adler=:AAAA:",
        "",
    ],
)
def test_a_body_with_the_digest_that_it_should_have_is_accepted(
    client: FlaskClient, said: str
) -> None:
    assert post(client, ROWS, said).status_code == 202


@pytest.mark.parametrize("rows", [ROWS, LARGE], ids=["with its record", "a file"])
@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_another_body_is_refused_and_nothing_of_it_is_kept(
    client: FlaskClient, stores: Stores, tmp_path: Path, rows: bytes, algorithm: str
) -> None:
    said = f"{digest(rows, 'sha-256' if algorithm == 'sha-512' else 'sha-512')}, "
    key = {"Idempotency_Key": "k"}
    assert kind_of(post(client, rows, said + digest(b"x", algorithm), **key)) == MISMATCHED
    assert uploads(stores) == []
    assert stored_files(tmp_path) == []
    # The key is free again.
    assert post(client, rows, said + digest(rows, algorithm), **key).status_code == 202
    assert kind_of(post(client, rows, digest(b"x", algorithm), **key)) == MISMATCHED


@pytest.mark.parametrize(
    "said",
    [
        *("sha-256", "sha-256=abc", "sha-256=:!:", "sha-256=:AAAA:", "SHA-256=:AAAA:", "=", "ü"),
        f"sha-256=({digest(ROWS).partition('=')[2]})",
    ],
)
def test_what_is_no_digest_is_refused_before_the_body_is_read(
    client: FlaskClient, said: str
) -> None:
    answer = post(client, b"%PDF-1.7", said)
    assert kind_of(answer) == INVALID
    assert "sha-256 and sha-512" in answer.get_json()["detail"]


def test_it_is_of_the_body_as_it_comes(client: FlaskClient, stores: Stores) -> None:
    packed = gzip.compress(ROWS)
    assert post(client, packed, digest(packed), Content_Encoding="gzip").status_code == 202
    assert kind_of(post(client, packed, digest(ROWS), Content_Encoding="gzip")) == MISMATCHED
    body, content_type = a_form(ROWS)
    headers = {**ANA, "Content-Type": content_type}
    for said, status in ((body, 202), (ROWS, 400)):
        answer = client.post(
            "/v1/uploads", data=body, headers={**headers, "Content-Digest": digest(said)}
        )
        assert answer.status_code == status
    assert len(uploads(stores)) == 2


def send(client: FlaskClient, path: str, data: bytes, offset: int, **said: str) -> Any:
    headers = {"Upload-Offset": str(offset), "Upload-Complete": "?0", **said}
    return client.patch(path, data=data, headers={**ANA, **PART, **headers})


def test_a_part_is_kept_once_its_digest_is_right(client: FlaskClient, stores: Stores) -> None:
    path = begin(client, ROWS[:5], Content_Digest=digest(ROWS[:5])).headers["Location"]
    kept = {*stores.files.names(-1)}
    wrong = send(client, path, ROWS[5:20], 5, **{"Content-Digest": digest(ROWS)})
    assert kind_of(wrong) == MISMATCHED
    assert {*stores.files.names(-1)} == kept
    assert client.head(path, headers=ANA).headers["Upload-Offset"] == "5"
    right = send(client, path, ROWS[5:20], 5, **{"Content-Digest": digest(ROWS[5:20])})
    assert (right.status_code, right.headers["Upload-Offset"]) == (204, "20")
    assert append(client, path, ROWS[20:], 20, "?1").status_code == 202
    assert client.get(f"/v1/uploads/{uploads(stores)[0].id}/file", headers=ANA).data == ROWS


def test_a_part_with_a_digest_that_breaks_off_is_not_kept(client: FlaskClient) -> None:
    path = begin(client).headers["Location"]
    cut = {"Content-Digest": digest(ROWS[:20]), "Content-Length": "20"}
    assert send(client, path, ROWS[:9], 0, **cut).status_code == 400
    assert client.head(path, headers=ANA).headers["Upload-Offset"] == "0"


def test_an_upload_that_begins_with_another_part_has_not_begun(
    client: FlaskClient, stores: Stores
) -> None:
    answer = begin(client, ROWS[:5], Content_Digest=digest(ROWS), Idempotency_Key="k")
    assert kind_of(answer) == MISMATCHED
    assert {*stores.files.names(-1)} == {of_user(stores)}
    assert "Idempotent-Replayed" not in begin(client, Idempotency_Key="k").headers


def test_another_batch_is_not_handed_on(client_with_behind: FlaskClient, behind: Behind) -> None:
    behind.body = b'{"read":1,"inserted":1,"updated":0,"unchanged":0}\n'
    rows = b'[{"id": 1, "job": "Recruiter"}]'
    for said, expected in ((digest(ROWS), 400), ("sha-256=:A:", 400), (digest(rows), 200)):
        answer = client_with_behind.post(
            "/v1/tables/jobs/rows",
            data=rows,
            headers={**WRITER, "Content-Type": "application/json", "Content-Digest": said},
        )
        assert answer.status_code == expected
    assert [body for _, _, _, body in behind.asked] == [rows]


def test_a_file_comes_back_with_its_digest_also_in_parts(client: FlaskClient) -> None:
    path = f"{post(client, ROWS, '').headers['Location']}/file"
    for part in ({}, {"Range": "bytes=2-5"}):
        answer = client.get(path, headers={**ANA, **part}, buffered=True)
        assert answer.headers["Repr-Digest"] == digest(ROWS)
