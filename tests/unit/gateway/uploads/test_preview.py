"""POST /v1/uploads/preview: what of a file goes on to the loader's reader."""

import gzip
import io
import json
import threading
from contextlib import ExitStack
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from gateway.errors import TooManyPreviews
from gateway.proxy.upstream import Upstream
from gateway.uploads.accept import Submission
from gateway.uploads.preview import Previews
from gateway.uploads.request_body import RequestBody
from muster.contracts.uploads import PREVIEW_BYTES, Options
from muster.stores import Stores
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.fakes import ANA, CSV, bearer, principal_named
from tests.unit.gateway.uploads.test_workbooks import XLSX

PATH = "/v1/uploads/preview"


@pytest.fixture
def client(client_with_behind: FlaskClient, behind: Behind) -> FlaskClient:
    behind.headers = {"Content-Type": "application/json"}
    behind.body = b'{"table": "jobs"}'
    return client_with_behind


def asked(behind: Behind) -> tuple[str, dict[str, str], bytes]:
    """The path, the query and the body of the one request that went on."""
    ((verb, url, headers, body),) = behind.asked
    assert verb == "POST"
    assert headers["Authorization"] == ANA["Authorization"]
    query = parse_qs(urlsplit(url).query)
    return urlsplit(url).path, {name: values[0] for name, values in query.items()}, body


def test_a_text_goes_on_with_its_options_and_nothing_is_kept(
    client: FlaskClient, behind: Behind, stores: Stores
) -> None:
    query = {"table": "jobs", "columns": "N° 1:id,Job: title:job", "dates": "dmy", "header": "auto"}

    answer = client.post(PATH, query_string=query, data=b"1;Cook\n", headers={**ANA, **CSV})

    assert (answer.status_code, answer.get_json()) == (200, {"table": "jobs"})
    path, sent, body = asked(behind)
    assert (path, body) == ("/v1/tables/jobs/preview", b"1;Cook\n")
    options = json.loads(sent.pop("options"))
    assert (options["columns"], options["dates"]) == (query["columns"], "dmy")
    assert sent == {}
    assert client.get("/v1/uploads", headers=ANA).get_json()["uploads"] == []
    assert list(stores.files.names(older_than=0)) == []


def test_no_more_of_a_text_goes_on_than_is_read(client: FlaskClient, behind: Behind) -> None:
    text = b"1,Cook\n" * PREVIEW_BYTES

    client.post(f"{PATH}?filename=jobs.csv", data=text, headers={**ANA, **CSV})

    _, sent, body = asked(behind)
    assert (body, sent["cut"]) == (text[:PREVIEW_BYTES], "true")


@pytest.mark.parametrize("missing", [0, 9, 3000])
def test_the_beginning_of_a_compressed_text_will_do(
    client: FlaskClient, behind: Behind, missing: int
) -> None:
    text = "".join(f"{number},Cook {number * 7919}\n" for number in range(3000)).encode()
    data = gzip.compress(text)

    client.post(
        f"{PATH}?filename=jobs.csv.gz", data=data[: len(data) - missing], headers={**ANA, **CSV}
    )

    _, sent, body = asked(behind)
    assert text.startswith(body)
    assert body
    assert sent.get("cut") == ("true" if missing else None)


def test_a_workbook_goes_on_whole_also_from_a_form(client: FlaskClient, behind: Behind) -> None:
    content = XLSX + bytes(PREVIEW_BYTES)
    form = {"file": (io.BytesIO(content), "jobs.xlsx")}

    client.post(f"{PATH}?sheet=A", data=form, headers=ANA)

    path, sent, body = asked(behind)
    assert (path, body) == ("/v1/tables/jobs/preview", content)
    assert sent["workbook"] == "true"
    assert json.loads(sent["options"])["sheet"] == "A"


@pytest.mark.parametrize(
    ("query", "data", "status"),
    [
        pytest.param("?filename=jobs.xlsx.gz", gzip.compress(XLSX)[:-9], 422, id="cut workbook"),
        ("", b"1,Cook\n", 422),
        ("?table=nobody", b"1,Cook\n", 422),
        ("?table=jobs&columns=a:shoe", b"1,Cook\n", 422),
        ("?table=jobs&encoding=utf-9", b"1,Cook\n", 422),
        ("?table=jobs", b"%PDF-1.7\n", 415),
    ],
)
def test_what_is_refused_as_of_an_upload(
    client: FlaskClient, behind: Behind, query: str, data: bytes, status: int
) -> None:
    assert client.post(PATH + query, data=data, headers={**ANA, **CSV}).status_code == status
    assert behind.asked == []


def test_what_is_larger_than_may_be_previewed_is_refused_early(
    client: FlaskClient, behind: Behind
) -> None:
    data = XLSX + bytes(16 * 1024**2)

    answer = client.post(f"{PATH}?table=jobs", data=data, headers=ANA)

    assert answer.status_code == 413
    assert "262,144 bytes" in answer.get_json()["detail"]
    assert behind.asked == []


def test_what_the_loader_answers_is_the_answer(client: FlaskClient, behind: Behind) -> None:
    behind.status, behind.headers = 503, {"Retry-After": "2"}

    answer = client.post(f"{PATH}?table=jobs", data=b"1,Cook\n", headers={**ANA, **CSV})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_only_who_may_upload_may_preview(client: FlaskClient) -> None:
    assert client.post(PATH, headers=bearer("ana", "uploads:read")).status_code == 403


class Held(io.BytesIO):
    """A body whose end comes once it is let go."""

    def __init__(self) -> None:
        super().__init__(XLSX + bytes(1000))
        self.asked, self.go = threading.Event(), threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            self.asked.set()
            assert self.go.wait(60)
        return data


def test_two_workbooks_are_held_at_once_one_of_each_user(behind: Behind) -> None:
    previews = Previews(Upstream("dbuploader", behind.url, 4), place_seconds=0.01)

    def submitted(user: str, stream: io.BytesIO) -> Submission:
        body = RequestBody(stream, "", {}, "identity", None, 10**6)
        return Submission(principal_named(user), body, Options(), "jobs")

    def try_to_make(submission: Submission) -> None:
        # Whatever becomes of it without a request.
        with pytest.raises(RuntimeError):
            previews.make(submission)

    held = [Held(), Held()]
    with ExitStack() as ending:
        for user, stream in zip(("ana", "bob"), held, strict=True):
            thread = threading.Thread(target=try_to_make, args=(submitted(user, stream),))
            thread.start()
            ending.callback(thread.join)
            ending.callback(stream.go.set)
            assert stream.asked.wait(60)
            with pytest.raises(TooManyPreviews):
                previews.make(submitted("ana", io.BytesIO(XLSX)))
        with pytest.raises(TooManyPreviews):
            previews.make(submitted("cy", io.BytesIO(XLSX)))
    try_to_make(submitted("cy", io.BytesIO(XLSX)))
