"""Workbooks at the door, and where their rejects were."""

import gzip
import io
import json
import zipfile
from collections.abc import Sequence

import pytest
from flask.testing import FlaskClient

from muster.contracts.rejects import (
    CellError,
    Reject,
    RejectsHeader,
    SheetColumns,
    read_rejects,
)
from muster.contracts.uploads import UNFINISHED, RowCounts, Source, State
from muster.stores import Stores
from tests.unit.gateway.fakes import ANA, CSV

ODS = b"application/vnd.oasis.opendocument.spreadsheet"
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)


def zipped(*parts: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, content in parts:
            package.writestr(name, content)
    return buffer.getvalue()


XLSX = zipped(("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b""))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(XLSX, id="Excel"),
        pytest.param(zipped(("_rels/.rels", b""), ("xl/workbook.xml", b"")), id="relations"),
        pytest.param(zipped(("docProps/app.xml", b"")), id="openpyxl"),
        pytest.param(zipped(("xl/workbook.xml", b"")), id="streamed"),
        pytest.param(zipped(("mimetype", ODS), ("content.xml", b"")), id="LibreOffice"),
        pytest.param(OLE2, id="xls"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_workbook_is_taken_for_one_by_its_content(
    client: FlaskClient, stores: Stores, content: bytes, compressed: bool
) -> None:
    name = "jobs.xlsx.gz" if compressed else "jobs.xlsx"
    data = gzip.compress(content) if compressed else content

    answer = client.post(f"/v1/uploads?filename={name}", data=data, headers={**ANA, **CSV})

    assert answer.status_code == 202
    upload = stores.uploads.get(answer.get_json()["id"])
    assert (upload.table, upload.is_workbook, upload.size) == ("jobs", True, len(content))
    assert answer.get_json()["source"] is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(zipped(("a.txt", b"hello")), id="zip"),
        pytest.param(zipped(("mimetype", b"application/vnd.oasis.opendocument.text")), id="odt"),
        pytest.param(zipped(("mimetype", b"application/epub+zip")), id="epub"),
        pytest.param(b"PK\x03\x04", id="short"),
    ],
)
def test_another_zip_is_refused(client: FlaskClient, content: bytes) -> None:
    answer = client.post("/v1/uploads?table=jobs", data=content, headers={**ANA, **CSV})

    assert answer.status_code == 415
    assert "a zip archive that is no workbook" in answer.get_json()["detail"]


def test_csv_is_no_workbook(client: FlaskClient, stores: Stores) -> None:
    answer = client.post("/v1/uploads?filename=jobs.csv", data=b"1,A\n", headers={**ANA, **CSV})

    assert not stores.uploads.get(answer.get_json()["id"]).is_workbook


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("jobs.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("JOBS.XLSM", "application/vnd.ms-excel.sheet.macroEnabled.12"),
        ("jobs.xlsb", "application/vnd.ms-excel.sheet.binary.macroEnabled.12"),
        ("jobs.xls", "application/vnd.ms-excel"),
        ("jobs.ods", "application/vnd.oasis.opendocument.spreadsheet"),
        ("jobs.csv", "application/octet-stream"),
    ],
)
def test_its_name_names_the_table_and_its_type(
    client: FlaskClient, name: str, media_type: str
) -> None:
    headers = {**ANA, "Content-Type": media_type}
    answer = client.post(f"/v1/uploads?filename={name}", data=XLSX, headers=headers)
    assert answer.status_code == 202

    file = client.get(answer.headers["Location"] + "/file", headers=ANA)

    assert file.data == XLSX
    assert file.headers["Content-Type"] == media_type


def test_the_sheet_is_an_option(client: FlaskClient, stores: Stores) -> None:
    answer = client.post(
        "/v1/uploads?filename=jobs.xlsx&sheet=My%20jobs", data=XLSX, headers={**ANA, **CSV}
    )

    assert answer.get_json()["options"]["sheet"] == "My jobs"
    upload_id = answer.get_json()["id"]
    stores.uploads.update(upload_id, expect=UNFINISHED, source=Source("My jobs"))
    found = client.get(f"/v1/uploads/{upload_id}", headers=ANA).get_json()
    assert found["source"] == {"sheet": "My jobs"}


def test_another_sheet_is_another_request(client: FlaskClient) -> None:
    headers = {**ANA, **CSV, "Idempotency-Key": "one"}

    answers = [
        client.post(f"/v1/uploads?filename=jobs.xlsx{query}", data=XLSX, headers=headers)
        for query in ("", "", "&sheet=A")
    ]

    assert [answer.status_code for answer in answers] == [202, 202, 422]


BLANK = CellError("constraint-error", "job", "job is blank")
TYPE = CellError("type-error", "id", "write digits only")
TOO_MANY = CellError("extra-cell", None, "the row has 3 cells")


def finish(stores: Stores, upload_id: str, sheet: str, rejects: Sequence[Reject]) -> None:
    header = RejectsHeader(("job", "id"), raw=True, sheet=SheetColumns(sheet, ("C", "AB")))
    lines = [header.to_json(), *(reject.to_json() for reject in rejects)]
    with stores.files.write(f"{upload_id}.rejects") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    stores.uploads.update(
        upload_id,
        expect=UNFINISHED,
        state=State.COMPLETED_WITH_REJECTS,
        rows=RowCounts(rejected=len(rejects)),
    )


REJECTS = [
    Reject(67, 60, ("", "x"), None, (BLANK, TYPE)),
    Reject(70, 61, None, "a\tb\tc", (TOO_MANY,)),
]


@pytest.fixture
def upload_id(client: FlaskClient) -> str:
    answer = client.post("/v1/uploads?filename=jobs.xlsx", data=XLSX, headers={**ANA, **CSV})
    found: str = answer.get_json()["id"]
    return found


def test_the_reject_file_says_which_cell(
    client: FlaskClient, stores: Stores, upload_id: str
) -> None:
    finish(stores, upload_id, "Sheet1", REJECTS)

    answer = client.get(f"/v1/uploads/{upload_id}/rejects", headers=ANA)

    assert answer.get_data(as_text=True).splitlines()[1:] == [
        ",x,67,60,constraint-error,job,Sheet1!C67: job is blank (and 1 more),",
        ",,70,61,extra-cell,,Sheet1!70:70: the row has 3 cells,a\tb\tc",
    ]
    assert "filename=jobs.rejects.csv" in answer.headers["Content-Disposition"]


def test_each_error_says_which_cell(client: FlaskClient, stores: Stores, upload_id: str) -> None:
    finish(stores, upload_id, "My 'jobs'", REJECTS)

    headers = {**ANA, "Accept": "application/x-ndjson"}
    answer = client.get(f"/v1/uploads/{upload_id}/rejects", headers=headers)

    first, second = map(json.loads, answer.get_data(as_text=True).splitlines())
    assert first["cell"] == "'My ''jobs'''!C67"
    assert [error["cell"] for error in first["errors"]] == [
        "'My ''jobs'''!C67",
        "'My ''jobs'''!AB67",
    ]
    assert second["cell"] == "'My ''jobs'''!70:70"
    assert first["cells"] == ["", "x"]


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("Jobs", "Jobs!C1"),
        ("Sheet1", "Sheet1!C1"),
        ("ABC1", "'ABC1'!C1"),
        ("R", "'R'!C1"),
        ("2021", "'2021'!C1"),
        ("Größe", "'Größe'!C1"),
        ("=cmd", "'=cmd'!C1"),
    ],
)
def test_a_name_that_could_be_something_else_is_quoted(name: str, reference: str) -> None:
    assert SheetColumns(name, ("C",)).reference(1, 0) == reference


def test_a_header_of_an_older_version_has_no_sheet() -> None:
    header, _ = read_rejects([b'{"labels": ["id"], "raw": false}\n'])

    assert header.sheet is None
    assert read_rejects([header.to_json().encode()])[0] == header
