"""What an upload's body may be: raw, a form, gzip; and what it may not be."""

# ruff: noqa: ARG002 - fakes take what streams do

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from muster.stores import Stores
from tests.unit.gateway.fakes import ANA, CSV, stored_files

ROWS = b"1,Recruiter\n2,Manager\n"
# By what the refusal says of them.
NO_CSV = {
    "HTML": [
        "<!DOCTYPE html>\n<html><head>",
        "\n\n  <html>",
        "\ufeff<HTML lang=en>",
        "<!-- made by hand --><!-- twice -->\n<table><tr><td>1</td></tr></table>",
        '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">',
    ],
    "XML": ['<?xml version="1.0"?>\n<Workbook>'],
    "JSON": [
        '{"id": 1, "job": "Recruiter"}\n{"id": 2}\n',
        '[{"id": 1}]',
        '\n [\n  {"id": 1}\n]',
        "[[1, 2]]",
        '["id", "job"]\n',
        "{}",
        "[]",
    ],
}


def stored(stores: Stores, answer: Any) -> bytes:
    assert answer.status_code == 202, answer.get_data(as_text=True)
    with stores.open_file(stores.uploads.get(answer.get_json()["id"])) as file:
        return file.read()


def form(content: bytes, name: str = "jobs.csv", part: str = "file") -> dict[str, Any]:
    return {part: (io.BytesIO(content), name)}


@pytest.mark.parametrize(
    "media_type",
    [
        "text/csv",
        "text/csv; charset=utf-8",
        "text/plain",
        "application/csv",
        "application/vnd.ms-excel",
        "application/octet-stream",
        "text/tab-separated-values",
        None,
    ],
)
def test_a_raw_body_is_stored_as_it_is(
    client: FlaskClient, stores: Stores, media_type: str | None
) -> None:
    answer = client.post("/v1/uploads?table=jobs", data=ROWS, headers=ANA, content_type=media_type)
    assert stored(stores, answer) == ROWS
    assert answer.get_json()["sha256"] == hashlib.sha256(ROWS).hexdigest()


def test_a_form_brings_the_file_and_its_name(client: FlaskClient, stores: Stores) -> None:
    answer = client.post("/v1/uploads", data=form(ROWS), headers=ANA)
    assert stored(stores, answer) == ROWS
    assert (answer.get_json()["filename"], answer.get_json()["table"]) == ("jobs.csv", "jobs")


def test_a_large_file_in_a_form_comes_through_whole(client: FlaskClient, stores: Stores) -> None:
    rows = b"\r\n--y".join(b"%d,job\r" % number for number in range(40_000))
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="jobs.csv"\r\n\r\n'
    answer = client.post(
        "/v1/uploads",
        data=head + rows + b"\r\n--x--\r\n",
        headers=ANA,
        content_type="multipart/form-data; boundary=x",
    )
    assert stored(stores, answer) == rows


def test_a_form_without_the_part_file_is_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/uploads", data=form(ROWS, part="upload"), headers=ANA)
    assert answer.status_code == 422
    assert "named file" in answer.get_json()["detail"]


def test_an_option_sent_as_a_part_is_refused_rather_than_unheard(
    client: FlaskClient, tmp_path: Path
) -> None:
    answer = client.post("/v1/uploads", data={**form(ROWS), "dry_run": "true"}, headers=ANA)
    assert answer.status_code == 422
    assert "query parameters" in answer.get_json()["detail"]
    assert stored_files(tmp_path) == []


def test_two_files_in_one_form_are_refused(client: FlaskClient, tmp_path: Path) -> None:
    both = {"file": [(io.BytesIO(ROWS), "jobs.csv"), (io.BytesIO(ROWS), "jobs.csv")]}
    answer = client.post("/v1/uploads", data=both, headers=ANA)
    assert answer.status_code == 422
    assert stored_files(tmp_path) == []


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"nothing of the kind"),
        ("multipart/form-data; boundary=x", b"--x\r\nno headers\r\n\r\nrows\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="jobs.csv"\r\n\r\n1,a',
        ),
    ],
)
def test_a_form_that_is_none_is_refused(
    client: FlaskClient, tmp_path: Path, media_type: str, body: bytes
) -> None:
    answer = client.post("/v1/uploads", data=body, headers=ANA, content_type=media_type)
    assert answer.status_code == 422
    assert stored_files(tmp_path) == []


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?filename=jobs.csv", {"Content-Encoding": "gzip"}),
        ("?filename=jobs.csv", {"Content-Encoding": "x-gzip"}),
        ("?filename=jobs.csv.gz", {}),
        ("?filename=jobs.CSV.GZ", {"Content-Encoding": "gzip"}),
        ("?table=jobs", {"Content-Type": "application/gzip"}),
    ],
)
def test_gzip_is_inflated_on_the_way_in(
    client: FlaskClient, stores: Stores, query: str, headers: dict[str, str]
) -> None:
    answer = client.post(
        f"/v1/uploads{query}", data=gzip.compress(ROWS, mtime=0), headers={**ANA, **CSV, **headers}
    )
    assert stored(stores, answer) == ROWS
    assert answer.get_json()["size"] == len(ROWS)
    assert answer.get_json()["table"] == "jobs"


def test_a_gzip_file_in_a_form_is_inflated(client: FlaskClient, stores: Stores) -> None:
    answer = client.post(
        "/v1/uploads", data=form(gzip.compress(ROWS, mtime=0), "jobs.csv.gz"), headers=ANA
    )
    assert stored(stores, answer) == ROWS


def test_gzip_of_several_members_is_one_file(client: FlaskClient, stores: Stores) -> None:
    members = b"".join(gzip.compress(line) for line in ROWS.splitlines(keepends=True))
    answer = client.post(
        "/v1/uploads?filename=jobs.csv.gz", data=members + b"\0" * 100, headers={**ANA, **CSV}
    )
    assert stored(stores, answer) == ROWS


@pytest.mark.parametrize(
    "damaged",
    [
        gzip.compress(ROWS, mtime=0)[:-1],
        gzip.compress(ROWS, mtime=0)[:12],
        gzip.compress(ROWS, mtime=0)[:-8] + b"\0" * 8,
        gzip.compress(ROWS, mtime=0) + b"garbage",
        ROWS,
    ],
)
def test_damaged_gzip_is_refused(client: FlaskClient, tmp_path: Path, damaged: bytes) -> None:
    answer = client.post("/v1/uploads?filename=jobs.csv.gz", data=damaged, headers={**ANA, **CSV})
    assert answer.status_code == 422
    assert "gzip" in answer.get_json()["detail"]
    assert stored_files(tmp_path) == []


def test_a_zip_bomb_stops_at_the_limit(client: FlaskClient, tmp_path: Path) -> None:
    deflate = zlib.compressobj(wbits=31)
    zeros = b"1" * 1_000_000
    bomb = b"".join(deflate.compress(zeros) for _ in range(200)) + deflate.flush()
    answer = client.post("/v1/uploads?filename=jobs.csv.gz", data=bomb, headers={**ANA, **CSV})
    assert len(bomb) < 1_000_000
    assert answer.status_code == 413
    assert stored_files(tmp_path) == []


class Unreadable(io.BytesIO):
    def readinto(self, buffer: Any) -> int:
        raise AssertionError("the body was touched")

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("the body was touched")


def test_a_body_said_to_be_too_large_is_refused_unread(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/uploads?table=jobs",
        input_stream=Unreadable(),
        headers={**ANA, **CSV},
        environ_overrides={"CONTENT_LENGTH": "1000001"},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer 1"}, {"Authorization": "x"}])
def test_nobody_gets_a_byte_of_the_body_read_before_they_are_known(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    answer = client.post(
        "/v1/uploads?table=jobs",
        input_stream=Unreadable(),
        headers={**CSV, **headers},
        environ_overrides={"CONTENT_LENGTH": "10"},
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_body_of_unknown_length_is_refused_at_the_byte_over_the_limit(
    make_app: Callable[..., OpenAPI], stores: Stores, tmp_path: Path
) -> None:
    client = make_app(max_upload_bytes=10).test_client()
    chunked = {**ANA, **CSV, "Transfer-Encoding": "chunked"}

    def send(body: bytes) -> Any:
        return client.post(
            "/v1/uploads?table=jobs",
            input_stream=io.BytesIO(body),
            headers=chunked,
            environ_overrides={"wsgi.input_terminated": True},
        )

    assert stored(stores, send(b"0123456789")) == b"0123456789"
    assert send(b"0123456789a").status_code == 413
    assert len(stored_files(tmp_path)) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04" + b"\0" * 30,
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"PAR1\x15\x04",
        b"RIFF\x24\n\0\0WEBPVP8 ",
        b"BM\x36\n\0\0\0\0\0\0\x36\0\0\0",
        b"\0\0\0\x18ftypheic\0\0\0\0",
        b"\0\0\1\0\1\0\x10\x10",
        gzip.compress(ROWS, mtime=0),
        b"Obj\x01\x04\x16avro.schema",
        b"ARROW1\0\0\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\x70\x02\0\0",
        b"FEA1\0\0\0\0",
        *(text.encode() for texts in NO_CSV.values() for text in texts),
        ("\ufeff" + NO_CSV["HTML"][0]).encode("utf-16-le"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_not_csv_is_refused_by_its_first_bytes(
    client: FlaskClient, tmp_path: Path, content: bytes, compressed: bool
) -> None:
    headers = {**ANA, **CSV, **({"Content-Encoding": "gzip"} if compressed else {})}
    data = gzip.compress(content) if compressed else content
    answer = client.post("/v1/uploads?table=jobs", data=data, headers=headers)
    assert answer.status_code == 415
    assert stored_files(tmp_path) == []


@pytest.mark.parametrize("kind", sorted(NO_CSV))
def test_the_refusal_says_what_the_file_is_and_what_to_send(client: FlaskClient, kind: str) -> None:
    for text in NO_CSV[kind]:
        answer = client.post("/v1/uploads?table=jobs", data=text.encode(), headers={**ANA, **CSV})
        detail = answer.get_json()["detail"]
        assert (answer.status_code, answer.get_json()["type"]) == (
            415,
            "/docs/errors#not-csv",
        )
        assert kind in detail
        assert "as CSV and send that" in detail


@pytest.mark.timeout(20)
def test_no_beginning_takes_long_to_look_at(client: FlaskClient) -> None:
    for piece in (b"<!---->", b" ", b"<?xml ", b"{ ", b"[ ", b"<!--"):
        data = piece * 100 + b"\n1,Clerk\n"
        answer = client.post("/v1/uploads?table=jobs", data=data, headers={**ANA, **CSV})
        assert answer.status_code in {202, 415}


@pytest.mark.parametrize(
    "content",
    [
        b"BM,1\n2,Manager\n",
        b"RIFF,WEBP\n1,Recruiter\n",
        b"[id],[job]\n1,Recruiter\n",
        b"[id];job\n1;Recruiter\n",
        b"<id>,<job>\n",
        b"{id},{job}\n",
        b"Object,1\n",
        b"ARROW1,2\n",
        b'"<html>",1\n',
    ],
)
def test_csv_that_begins_with_the_letters_of_another_kind_is_csv(
    client: FlaskClient, stores: Stores, content: bytes
) -> None:
    answer = client.post("/v1/uploads?table=jobs", data=content, headers={**ANA, **CSV})
    assert stored(stores, answer) == content


def test_the_default_of_curl_is_told_which_header_to_send(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/uploads?table=jobs",
        data=ROWS,
        headers={**ANA, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 415
    assert "Content-Type: text/csv" in answer.get_json()["detail"]


@pytest.mark.parametrize("media_type", ["application/json", "image/png", "application/zip"])
def test_a_media_type_that_is_not_csv_is_refused(client: FlaskClient, media_type: str) -> None:
    answer = client.post("/v1/uploads?table=jobs", data=ROWS, headers=ANA, content_type=media_type)
    assert answer.status_code == 415


def test_an_unknown_content_coding_is_refused_naming_gzip(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/uploads?table=jobs", data=ROWS, headers={**ANA, **CSV, "Content-Encoding": "br"}
    )
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip")


def test_a_body_that_breaks_off_leaves_nothing(
    client: FlaskClient, stores: Stores, tmp_path: Path
) -> None:
    answer = client.post(
        "/v1/uploads?table=jobs",
        input_stream=io.BytesIO(ROWS),
        headers={**ANA, **CSV},
        environ_overrides={"CONTENT_LENGTH": str(len(ROWS) + 1)},
    )
    assert answer.status_code == 400
    assert stored_files(tmp_path) == []
    assert stores.uploads.find(owner=None, state=None, table=None, before=None, limit=10) == []
